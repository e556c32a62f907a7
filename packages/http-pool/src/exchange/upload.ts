import { Readable } from 'node:stream'
import type { Handler } from '../handler.ts'

/** The attempt whose body is sent. */
export interface UploadOwner {
  readonly settled: boolean
  readonly options: { readonly body?: unknown }
  readonly exchange: { readonly downstream: Handler }
  /** A part is on its way. */
  onPart(): void
  fail(error: Error): void
}

/** The body of an attempt on its way: tells of each part that is sent. */
export class Upload {
  /** undici is writing a part, and its caller is being told of that. */
  isWriting = false
  readonly #owner: UploadOwner
  /** Over HTTP/2 undici takes what comes back for what was sent of a stream: here it is listened to by what undici pipes. */
  readonly #isWatched: boolean

  constructor(owner: UploadOwner, isH2: boolean) {
    const { body } = owner.options
    this.#owner = owner
    this.#isWatched = isH2 && body instanceof Readable
    if (!isH2 || !(body instanceof Readable)) return
    // By then undici reads it: a listener on what nothing reads yet would make it flow to nowhere.
    process.nextTick(() => body.on('data', chunk => this.#onSent(chunk)))
  }

  /** Told by undici. */
  onBodySent(chunk: Buffer): void {
    if (!this.#isWatched) this.#onSent(chunk)
  }

  #onSent(chunk: Buffer): void {
    const owner = this.#owner
    if (owner.settled) return
    owner.onPart()
    this.isWriting = true
    try {
      owner.exchange.downstream.onBodySent?.(chunk)
    } catch (error) {
      // undici would abort in the middle of its write.
      process.nextTick(() => owner.fail(error as Error))
    }
    this.isWriting = false
  }
}
