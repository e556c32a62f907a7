import type { KeySpace, Shard } from '../protocol/key-space.ts'
import type { ScriptLine, ScriptLines } from '../protocol/script-line.ts'
import { MOST_AT_ONCE } from './in-waves.ts'

/** Values of one shard, few enough for one operation. */
export interface Batch {
  readonly line: ScriptLine
  readonly names: string[]
  readonly labels: string[]
  /** Which of the caller's values they are. */
  readonly indexes: number[]
}

/** Most values of one operation. */
const MOST = 128
/** Batches that travel at once. */
export const BATCHES_AT_ONCE: number = MOST_AT_ONCE / MOST

/** Values grouped by shard. */
export class Batches {
  readonly all: Batch[] = []
  readonly #lines: ScriptLines
  readonly #open = new Map<Shard, Batch>()

  constructor(lines: ScriptLines) {
    this.#lines = lines
  }

  add(shard: Shard, label: string, index: number): void {
    let batch = this.#open.get(shard)
    if (batch === undefined || batch.names.length === MOST) {
      batch = { line: this.#lines.of(shard), names: [], labels: [], indexes: [] }
      this.#open.set(shard, batch)
      this.all.push(batch)
    }
    batch.names.push(shard.values + label)
    batch.labels.push(label)
    batch.indexes.push(index)
  }
}

/** The values of keys by shard. */
export function batchesOf(
  { space, lines }: { readonly space: KeySpace; readonly lines: ScriptLines },
  stored: readonly string[],
): readonly Batch[] {
  const batches = new Batches(lines)
  for (const [index, each] of stored.entries()) {
    batches.add(space.shardOf(each), space.label(each), index)
  }
  return batches.all
}
