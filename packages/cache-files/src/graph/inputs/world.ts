import type { FileTable } from '../../table/file-table.ts'
import type { DurableInputs } from './durable-inputs.ts'

/** An option of the graph, and what it is told from others by. */
export interface GraphOption {
  readonly value: unknown
  readonly fingerprint: string
}

/** What a revision looks at. */
export interface World {
  readonly files: FileTable
  readonly durable: DurableInputs
  /** As they were when the revision began. */
  readonly options: ReadonlyMap<string, GraphOption>
  /** As they are now. */
  currentOptions(): ReadonlyMap<string, GraphOption>
  /** Secret under which variables are hashed. */
  readonly environmentKey: string
  /** Of the look before: arrays of that length need not grow. Benchmark case: files "edit to answer in 10,000 files". */
  readonly expected: { vouched: number }
}
