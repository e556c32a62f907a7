/** A run of zeroed doubles that one series owns: `array[at]` to `array[at + size - 1]`. It never moves. */
export interface Cells {
  readonly array: Float64Array
  readonly at: number
  readonly size: number
}

/** Where the numbers of series live. */
export interface CellStore {
  /** Largest histogram block to allocate at once, or `undefined` to let blocks grow as values arrive. */
  readonly fixedBuckets: number | undefined
  allocate(size: number): Cells
  /** Takes a run back. The caller must hold the only handle to it. */
  free(cells: Cells): void
}

const PAGE = 2048

/**
 * Doubles in pages on the heap. A page never moves or grows, so a handle may keep a direct reference to it and an
 * increment is one add in memory. Freed runs are reused by size.
 */
export class HeapCells implements CellStore {
  readonly fixedBuckets = undefined
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
