/** What a {@link RankedHeap} holds: the heap writes `index`, and nothing else. */
export interface Ranked {
  /** Smaller comes first; must not change while in a heap. */
  readonly rank: number
  /** Position in the heap; -1 when not in one. */
  index: number
}

/** Binary min-heap of items that know their position: O(log n) to add and to remove any, O(1) to see the first. */
export class RankedHeap<T extends Ranked> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  add(item: T): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** Does nothing if the item is not in the heap. */
  remove(item: T): void {
    const { index } = item
    if (index < 0) return
    item.index = -1
    const last = this.#items.pop()!
    if (last === item) return
    this.#rise(last, index)
    this.#sink(last, last.index)
  }

  #rise(item: T, from: number): void {
    const items = this.#items
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = items[above]!
      if (parent.rank <= item.rank) break
      items[index] = parent
      parent.index = index
      index = above
    }
    items[index] = item
    item.index = index
  }

  #sink(item: T, from: number): void {
    const items = this.#items
    let index = from
    for (;;) {
      let below = 2 * index + 1
      if (below >= items.length) break
      if (below + 1 < items.length && items[below + 1]!.rank < items[below]!.rank) below++
      const child = items[below]!
      if (child.rank >= item.rank) break
      items[index] = child
      child.index = index
      index = below
    }
    items[index] = item
    item.index = index
  }
}
