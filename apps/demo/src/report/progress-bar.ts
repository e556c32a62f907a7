/** A bar on the last line of a terminal; nothing at all elsewhere, so that logs stay clean. */
export class ProgressBar implements Disposable {
  readonly #stream: NodeJS.WriteStream
  #shownAt = 0

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
  }

  /** Draws at most every 50 ms. */
  update(stage: string, done: number, total: number): void {
    const now = performance.now()
    if (!this.#stream.isTTY || (now - this.#shownAt < 50 && done < total)) return
    this.#shownAt = now
    const width = Math.max(10, Math.min(40, this.#stream.columns - 40))
    const filled = total === 0 ? width : Math.round((width * done) / total)
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled)
    this.#stream.write(`\r\x1b[2K${stage.padEnd(10)} ${bar} ${done}/${total}`)
  }

  clear(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[2K')
  }

  [Symbol.dispose](): void {
    this.clear()
  }
}
