/** So many run before others are begun. */
const AT_ONCE = 64

/**
 * Begins what comes in a flood a few at a time, so that what each holds while it runs is garbage before it has to be moved: of ten thousand
 * queries begun at once, everything would survive the collections of young garbage. What takes longer than a turn of the event loop, or never
 * ends, keeps nothing else waiting.
 */
export class StartQueue<T> {
  readonly #start: (item: T) => void
  #waiting: T[] = []
  #next = 0
  /** Begun and not ended, as far as this turn knows. */
  #running = 0
  #turn: NodeJS.Immediate | undefined
  /** Whether the loop that begins what waits is under way: what ends while it is begun must not begin another one, on a deeper stack. */
  #filling = false

  constructor(start: (item: T) => void) {
    this.#start = start
  }

  /** Begins it now, or a little later. */
  add(item: T): void {
    if (this.#running < AT_ONCE && this.#next === this.#waiting.length) this.#begin(item)
    else {
      this.#waiting.push(item)
      this.#turn ??= setImmediate(() => this.#turned())
    }
  }

  /** Of what was begun, something has ended. */
  ended(): void {
    if (this.#running > 0) this.#running--
    this.#fill()
  }

  #begin(item: T): void {
    this.#running++
    this.#start(item)
  }

  #fill(): void {
    if (this.#filling) return
    this.#filling = true
    try {
      while (this.#running < AT_ONCE && this.#next < this.#waiting.length) {
        this.#begin(this.#waiting[this.#next++]!)
      }
    } finally {
      this.#filling = false
    }
    if (this.#next < this.#waiting.length) return
    this.#waiting = []
    this.#next = 0
  }

  #turned(): void {
    this.#turn = undefined
    this.#running = 0
    this.#fill()
    if (this.#next < this.#waiting.length) this.#turn = setImmediate(() => this.#turned())
  }
}
