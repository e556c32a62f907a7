import type { KnownFile } from '../../table/records/table-snapshot.ts'
import type { InputKind } from './input-kinds.ts'

/** Something outside the graph that a result was computed from, with the fingerprint that was seen. */
export interface InputDependency {
  readonly node: undefined
  readonly kind: InputKind
  readonly name: string
  readonly fingerprint: string
  /** What a feed vouched for when the file was last looked for: as long as it does, it need not be looked for. */
  known: KnownFile | undefined
}
