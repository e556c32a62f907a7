import { Readable } from 'node:stream'
import type { Controller } from '../handler.ts'
import { toText } from './body-text.ts'

type Mode =
  /** It is not read yet: chunks are held here. */
  | 'idle'
  /** One of the methods that resolve with the whole body gathers the chunks, past the stream. */
  | 'gather'
  /** Somebody reads it as a stream. */
  | 'stream'
  /** Chunks are thrown away. */
  | 'dump'

const DEFAULT_HIGH_WATER_MARK = 64 * 1024
const DUMP_LIMIT = 128 * 1024

/**
 * The body of a response: a stream, or read whole by one of its methods.
 *
 * The methods take the chunks as they come, without the machinery of streams, which costs about as much as
 * all the rest of a small request. Until one is called or the stream is read, at most `highWaterMark` bytes
 * are held and the server has to wait.
 */
export class ResponseBody extends Readable {
  readonly #controller: Controller
  readonly #contentType: string
  readonly #highWaterMark: number
  /** Bytes in all, if the response says so and has a body. */
  readonly #expected: number | undefined
  #mode: Mode = 'idle'
  #chunks: Buffer[] = []
  #size = 0
  #isComplete = false
  #settled = false
  #dumpLimit = DUMP_LIMIT
  #resolve: ((value: never) => void) | undefined
  #reject: ((error: unknown) => void) | undefined
  #convert: ((bytes: Buffer) => unknown) | undefined

  /** @internal */
  constructor(
    controller: Controller,
    contentType: string | undefined,
    highWaterMark: number | undefined,
    expected: number | undefined,
  ) {
    super({ highWaterMark: highWaterMark ?? DEFAULT_HIGH_WATER_MARK })
    this.#controller = controller
    this.#contentType = contentType ?? ''
    this.#highWaterMark = highWaterMark ?? DEFAULT_HIGH_WATER_MARK
    this.#expected = expected
  }

  /** Whether it has begun to be read. */
  get bodyUsed(): boolean {
    return this.#mode !== 'idle'
  }

  /** The body as text, decoded as UTF-8 without a byte order mark. */
  text(): Promise<string> {
    return this.#gather(toText)
  }

  /** The body parsed as JSON. */
  json(): Promise<unknown> {
    return this.#gather(bytes => JSON.parse(toText(bytes)))
  }

  bytes(): Promise<Uint8Array> {
    return this.#gather(bytes => new Uint8Array(bytes))
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#gather(bytes => new Uint8Array(bytes).buffer)
  }

  blob(): Promise<Blob> {
    return this.#gather(bytes => new Blob([new Uint8Array(bytes)], { type: this.#contentType }))
  }

  /**
   * Throws the body away: the connection is kept if no more than `limit` bytes are still to come, default
   * 128 KiB, and closed otherwise.
   */
  dump({ limit = DUMP_LIMIT }: { readonly limit?: number | undefined } = {}): Promise<void> {
    this.#dumpLimit = limit
    if (this.#mode === 'idle' && !this.#settled) {
      const toCome = (this.#expected ?? 0) - this.#size
      this.#chunks = []
      this.#size = 0
      if (!this.#isComplete && toCome > limit) {
        this.#mode = 'dump'
        this.destroy()
        return Promise.resolve()
      }
    }
    return this.#gather<void>(() => undefined, 'dump')
  }

  // From here on: called by the handler of the response.

  /** @internal */
  onData(chunk: Buffer): void {
    if (this.#mode === 'stream') {
      if (!this.push(chunk)) this.#controller.pause()
      return
    }
    this.#size += chunk.length
    if (this.#mode === 'dump') {
      if (this.#size > this.#dumpLimit) this.destroy()
      return
    }
    this.#chunks.push(chunk)
    if (this.#mode === 'idle' && this.#size >= this.#highWaterMark) this.#controller.pause()
  }

  /** @internal */
  onEnd(): void {
    this.#isComplete = true
    if (this.#mode === 'stream') this.push(null)
    else if (this.#mode !== 'idle') this.#settle()
  }

  /** @internal */
  onError(error: Error): void {
    this.#isComplete = true
    this.on('error', ignore)
    this.destroy(error)
  }

  override _read(): void {
    if (this.#mode === 'stream') {
      this.#controller.resume()
      return
    }
    this.#mode = 'stream'
    const chunks = this.#chunks
    this.#chunks = []
    for (const chunk of chunks) this.push(chunk)
    if (this.#isComplete) this.push(null)
    else this.#controller.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#chunks = []
    if (!this.#isComplete) {
      this.#isComplete = true
      this.#controller.abort(error as Error)
    }
    this.#settled = true
    const reject = this.#reject
    if (reject !== undefined) {
      if (this.#mode === 'dump' && error === null) (this.#resolve as () => void)()
      else reject(error ?? new Error('The body was destroyed'))
      this.#reject = undefined
    }
    // One tick later, so that the code that awaits the response can listen first.
    setImmediate(callback, error)
  }

  #gather<T>(convert: (bytes: Buffer) => T, mode: 'gather' | 'dump' = 'gather'): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#settled) {
        reject(this.errored ?? new TypeError('The body was read or destroyed before'))
      } else if (this.#mode !== 'idle') {
        reject(new TypeError('The body can be read only once'))
      } else {
        this.#mode = mode
        this.#convert = convert
        this.#resolve = resolve
        this.#reject = reject
        if (this.#isComplete) this.#settle()
        else this.#controller.resume()
      }
    })
  }

  #settle(): void {
    const chunks = this.#chunks
    this.#chunks = []
    this.#settled = true
    const resolve = this.#resolve as (value: unknown) => void
    const reject = this.#reject!
    this.#reject = undefined
    try {
      resolve(this.#convert!(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    } catch (error) {
      reject(error)
    }
  }
}

function ignore(): void {}
