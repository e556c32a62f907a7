import { type ClientHttp2Stream, constants } from 'node:http2'
import { Readable } from 'node:stream'
import type { Handler } from '../handler.ts'
import { isUnsent, releaseBody } from '../request/request-body.ts'

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

  /** Its attempt is over. Over HTTP/2, where there is a stream, undici forgets about the parts that it has not asked for. */
  end(stream: ClientHttp2Stream | null): void {
    const { body } = this.#owner.options
    if (stream === null || !isUnsent(body)) return
    // First: the server is not to take what it has for the whole.
    stream.close(constants.NGHTTP2_CANCEL)
    process.nextTick(releaseBody, body)
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
