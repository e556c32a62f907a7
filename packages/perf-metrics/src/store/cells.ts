import type { FamilyDescription } from '../metric/family-description.ts'

/** A run of zeroed doubles that one series owns: `array[at]` to `array[at + size - 1]`. It never moves. */
export interface Cells {
  readonly array: Float64Array
  readonly at: number
  readonly size: number
  /** Whether the run was another's of the same series before, and holds what that one counted. */
  readonly adopted?: boolean
}

/** Where the numbers of series live. */
export interface CellStore {
  /** Largest histogram block, to allocate at once, or `undefined` to let blocks grow as values arrive. */
  readonly fixedBuckets: number | undefined
  /** @param description with the label values, the series that the run is for, where it must be found again */
  allocate(size: number, description?: FamilyDescription, labelValues?: readonly string[]): Cells
  /** Whether runs can be taken back. */
  readonly reclaims: boolean
  /** Takes a run back. The caller must hold the only handle to it. */
  free(cells: Cells): void
  /** Told of every series that is exported, where others read the cells. */
  announce?(description: FamilyDescription, labelValues: readonly string[], cells: Cells): void
  /** Makes what was written before visible to other threads before what is written after. */
  fence?(): void
}

const PAGE = 2048

/**
 * Doubles in pages on the heap. A page never moves or grows, so a handle may keep a direct reference to it and an
 * increment is one add in memory. Freed runs are reused by size.
 */
export class HeapCells implements CellStore {
  readonly fixedBuckets = undefined
  readonly reclaims = true
  #page = new Float64Array(0)
  #used = 0
  readonly #free = new Map<number, Cells[]>()

  allocate(size: number): Cells {
    const reused = this.#free.get(size)?.pop()
    if (reused !== undefined) return reused
    if (this.#used + size > this.#page.length) {
      this.#page = new Float64Array(Math.max(size, PAGE))
      this.#used = 0
    }
    const at = this.#used
    this.#used += size
    return { array: this.#page, at, size }
  }

  free(cells: Cells): void {
    cells.array.fill(0, cells.at, cells.at + cells.size)
    const runs = this.#free.get(cells.size)
    if (runs === undefined) this.#free.set(cells.size, [cells])
    else runs.push(cells)
  }
}
