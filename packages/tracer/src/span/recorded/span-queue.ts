import type { SpanRecord } from './span-record.ts'

/** Ended spans in the order of their ends, linked through the records themselves: no allocation, O(1). */
export class SpanQueue {
  #first: SpanRecord | null = null
  #last: SpanRecord | null = null
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Appends a record that is in no list, and returns how many there are. */
  push(record: SpanRecord): number {
    record.next = null
    if (this.#last === null) this.#first = record
    else this.#last.next = record
    this.#last = record
    return ++this.#length
  }

  shift(): SpanRecord | null {
    const record = this.#first
    if (record === null) return null
    this.#first = record.next
    if (this.#first === null) this.#last = null
    this.#length--
    return record
  }
}
