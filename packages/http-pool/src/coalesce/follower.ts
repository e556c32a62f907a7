import { RequestAbortedError } from '../errors.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'

/** The response that several callers share, as one of them sees it. */
export interface FollowerOwner {
  /** The caller has taken, or could not take, some bytes. */
  balance(): void
  /** The caller has aborted. */
  leave(follower: Follower): void
}

/** One caller of a shared response: its own controller, and what it has not taken yet. */
export class Follower implements Controller {
  readonly #shared: FollowerOwner
  readonly #handler: Handler
  readonly #chunks: Buffer[] = []
  #trailers: ResponseHeaders | null = null
  #error: Error | null = null
  #settled = false
  buffered = 0

  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: Controller['rawHeaders'] = null
  rawTrailers: Controller['rawTrailers'] = null

  constructor(shared: FollowerOwner, handler: Handler) {
    this.#shared = shared
    this.#handler = handler
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    while (this.#chunks.length > 0 && !this.paused) {
      const chunk = this.#chunks.shift()!
      this.buffered -= chunk.length
      this.#handler.onResponseData?.(this, chunk)
    }
    if (this.#settled) return
    if (this.#chunks.length === 0 && !this.paused) this.#flush()
    this.#shared.balance()
  }

  abort(reason?: Error): void {
    if (this.#settled) return
    this.#settled = true
    this.aborted = true
    this.reason = reason ?? new RequestAbortedError('')
    this.#chunks.length = 0
    this.buffered = 0
    this.#shared.leave(this)
    this.#handler.onResponseError?.(this, this.reason)
  }

  start(context: unknown): void {
    this.#handler.onRequestStart?.(this, context)
  }

  head(
    upstream: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void {
    this.rawHeaders = upstream.rawHeaders ?? null
    this.#handler.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  data(chunk: Buffer): void {
    if (this.#settled) return
    if (!this.paused && this.#chunks.length === 0) {
      this.#handler.onResponseData?.(this, chunk)
      return
    }
    this.#chunks.push(chunk)
    this.buffered += chunk.length
    this.#shared.balance()
  }

  end(trailers: ResponseHeaders): void {
    this.#trailers = trailers ?? {}
    if (this.#chunks.length === 0) this.#flush()
  }

  error(error: Error): void {
    this.#error = error
    this.#chunks.length = 0
    this.buffered = 0
    this.#flush()
  }

  #flush(): void {
    if (this.#settled) return
    if (this.#error !== null) {
      this.#settled = true
      this.#handler.onResponseError?.(this, this.#error)
    } else if (this.#trailers !== null) {
      this.#settled = true
      this.#handler.onResponseEnd?.(this, this.#trailers)
    }
  }
}
