import { threadId } from 'node:worker_threads'
import { LanesFullError } from '../errors.ts'
import type { FamilyDescription } from '../metric/family-description.ts'
import { type CellStore, type Cells, HeapCells } from '../store/cells.ts'
import { appendRecord, readRecords } from './directory.ts'
import {
  CELLS_USED,
  DIRECTORY_LENGTH,
  FENCE,
  type Lane,
  lanesOf,
  OWNER,
  UNSHARED,
} from './lane-memory.ts'

/** Exponential buckets of a histogram in shared memory: taken at once, and once more when values spread beyond them. */
const SHARED_BUCKETS = 640

/**
 * Takes a lane for this thread, to be passed to its registry: `new Registry({ store: claimLane(workerData.lanes) })`.
 * A lane that a finished thread left goes on where that one ended.
 *
 * @throws LanesFullError when all lanes belong to live threads
 */
export function claimLane(buffer: SharedArrayBuffer): CellStore {
  for (const lane of lanesOf(buffer)) {
    if (Atomics.compareExchange(lane.state, OWNER, 0, threadId + 1) === 0)
      return new LaneStore(lane)
  }
  throw new LanesFullError('All metrics lanes belong to live threads: create more of them')
}

class LaneStore implements CellStore {
  readonly fixedBuckets: number = SHARED_BUCKETS
  /** A lane is not compacted: its readers know where things are. */
  readonly reclaims = false
  readonly #lane: Lane
  /** Series of the lane's former owner, by {@link identity}. */
  readonly #inherited = new Map<string, Cells>()
  /** What has no room in the lane still counts, for this thread's own exports. */
  readonly #heap = new HeapCells()

  constructor(lane: Lane) {
    this.#lane = lane
    const { state, directory, cells } = lane
    for (const record of readRecords(directory, 0, Atomics.load(state, DIRECTORY_LENGTH))) {
      const { description, labelValues, at, size } = record
      this.#inherited.set(identity(description, labelValues), {
        array: cells,
        at,
        size,
        adopted: true,
      })
    }
  }

  allocate(
    size: number,
    description?: FamilyDescription,
    labelValues: readonly string[] = [],
  ): Cells {
    const inherited = description && this.#inherited.get(identity(description, labelValues))
    if (inherited !== undefined && inherited.size === size) return inherited
    const { state, cells } = this.#lane
    const at = Atomics.load(state, CELLS_USED)
    if (at + size > cells.length) return this.#heap.allocate(size)
    Atomics.store(state, CELLS_USED, at + size)
    return { array: cells, at, size }
  }

  free(): void {}

  announce(description: FamilyDescription, labelValues: readonly string[], block: Cells): void {
    if (block.adopted) return
    const { state, directory, cells } = this.#lane
    const { array, at, size } = block
    const record = { description, labelValues, at, size }
    const length = Atomics.load(state, DIRECTORY_LENGTH)
    const end = array === cells ? appendRecord(directory, length, record) : undefined
    if (end === undefined) Atomics.add(state, UNSHARED, 1)
    else Atomics.store(state, DIRECTORY_LENGTH, end)
  }

  fence(): void {
    Atomics.add(this.#lane.state, FENCE, 1)
  }
}

/** Names a series among all of a lane, whose owners may have defined one metric differently. */
function identity(
  { name, type, labelNames, buckets }: FamilyDescription,
  labelValues: readonly string[],
): string {
  return JSON.stringify([name, type, labelNames, buckets, labelValues])
}
