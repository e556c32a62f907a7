/** What a query asked for and has no answer to yet, whether it waits for it or not. */
export class OpenAnswers {
  readonly #answers = new Set<Promise<unknown>>()

  add<T>(answer: Promise<T>): Promise<T> {
    const answers = this.#answers
    answers.add(answer)
    const forget = () => answers.delete(answer)
    answer.then(forget, forget)
    return answer
  }

  /** Waits for all, and for what is asked for meanwhile. Never rejects. */
  async settled(): Promise<void> {
    while (this.#answers.size > 0) await Promise.allSettled(this.#answers)
  }
}
