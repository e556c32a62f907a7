export interface Stage {
  readonly name: string
  /** Milliseconds. */
  readonly duration: number
}

/** Measures the stages of a run one after the other. */
export class StageClock {
  readonly #stages: Stage[] = []
  readonly #start = performance.now()

  /** ms since it was made. */
  get total(): number {
    return performance.now() - this.#start
  }

  get stages(): readonly Stage[] {
    return this.#stages
  }

  /** Runs one stage and keeps its time, also when it fails. */
  async run<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await work()
    } finally {
      this.#stages.push({ name, duration: performance.now() - start })
    }
  }
}
