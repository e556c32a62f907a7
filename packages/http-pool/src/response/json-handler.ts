import type { Dispatcher } from 'undici'
import { ResponseParseError, ResponseStatusError } from '../errors.ts'

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2]

const shownBodyLength = 16 * 1024

/** Collects a response and parses it, without a stream in between. */
export class JsonHandler<T> implements Dispatcher.DispatchHandler {
  readonly #origin: string
  readonly #resolve: (value: T) => void
  readonly #reject: (error: unknown) => void
  readonly #signal: AbortSignal | undefined
  readonly #chunks: Buffer[] = []
  #controller: Dispatcher.DispatchController | undefined
  #statusCode = 0
  #headers: Headers = {}
  /** Whatever arrives is kept until the end, so an attempt that fails half-way can be repeated. */
  readonly buffersResponse = true

  constructor(
    origin: string,
    signal: AbortSignal | undefined,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#origin = origin
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    const signal = this.#signal
    if (signal === undefined) return
    if (signal.aborted) controller.abort(signal.reason)
    else signal.addEventListener('abort', this)
  }

  /** The signal's listener: an object, so that no closure is made per request. */
  handleEvent(): void {
    this.#controller!.abort(this.#signal!.reason)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Headers,
  ): void {
    this.#statusCode = statusCode
    this.#headers = headers
    this.#chunks.length = 0
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    this.#signal?.removeEventListener('abort', this)
    const chunks = this.#chunks
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    if (this.#statusCode < 200 || this.#statusCode > 299) {
      const body = bytes.toString('utf8', 0, shownBodyLength)
      this.#reject(new ResponseStatusError(this.#statusCode, this.#headers, body, this.#origin))
      return
    }
    try {
      this.#resolve(JSON.parse(bytes.toString()))
    } catch (error) {
      this.#reject(new ResponseParseError(this.#origin, error))
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#signal?.removeEventListener('abort', this)
    this.#reject(error)
  }
}
