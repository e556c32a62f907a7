/** Something that happened, to be seen beside what the charts did. */
export interface Mark {
  /** ms since 1970. */
  readonly time: number
  /** ms on the clock of the frames, which never steps back. */
  readonly elapsed: number
  readonly text: string
}

const MOST = 100

/** The last hundred marks, oldest first. */
export class Marks {
  readonly #marks: Mark[] = []

  get all(): readonly Mark[] {
    return this.#marks
  }

  add(mark: Mark): void {
    if (this.#marks.push(mark) > MOST) this.#marks.shift()
  }
}
