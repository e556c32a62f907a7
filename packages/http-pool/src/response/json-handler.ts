import { ResponseParseError, ResponseStatusError } from '../errors.ts'
import type { Controller, ResponseHeaders } from '../handler.ts'
import { toText } from './body-text.ts'
import { type Call, FollowingHandler } from './following-handler.ts'

const SHOWN_BODY_LENGTH = 16 * 1024

/** Collects a response and parses it, without a stream in between. */
export class JsonHandler<T> extends FollowingHandler {
  readonly #origin: string
  readonly #resolve: (value: T) => void
  readonly #reject: (error: unknown) => void
  readonly #chunks: Buffer[] = []
  #statusCode = 0
  #headers: ResponseHeaders = {}
  /** Whatever arrives is kept until the end, so an attempt that fails half-way can be repeated. */
  readonly buffersResponse = true

  constructor(call: Call, resolve: (value: T) => void, reject: (error: unknown) => void) {
    super(call)
    this.#origin = call.options.origin as string
    this.#resolve = resolve
    this.#reject = reject
  }

  protected override onHead(
    _controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
  ): void {
    this.#statusCode = statusCode
    this.#headers = headers
    this.#chunks.length = 0
  }

  protected override onChunk(chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  protected override onComplete(): void {
    if (this.#statusCode === 204 || this.#statusCode === 205) {
      this.#resolve(undefined as T)
      return
    }
    const chunks = this.#chunks
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    if (this.#statusCode < 200 || this.#statusCode > 299) {
      const body = bytes.toString('utf8', 0, SHOWN_BODY_LENGTH)
      this.#reject(new ResponseStatusError(this.#statusCode, this.#headers, body, this.#origin))
      return
    }
    try {
      this.#resolve(JSON.parse(toText(bytes)))
    } catch (error) {
      this.#reject(new ResponseParseError(this.#origin, error))
    }
  }

  protected override onFailure(error: Error): void {
    this.#reject(error)
  }
}
