import { AsyncResource } from 'node:async_hooks'
import { RequestAbortedError } from '../errors.ts'
import type { Controller, Handler, RawHeaders, ResponseHeaders } from '../handler.ts'
import type { TotalDeadline } from '../time/total-deadline.ts'

/** The response that several callers share, as one of them sees it. */
export interface FollowerOwner {
  /** The caller has taken, or could not take, some bytes. */
  balance(): void
  /** The caller has aborted. */
  leave(follower: Follower): void
}

/** One caller of a shared response: its own controller, and what it has not taken yet. */
export class Follower extends AsyncResource implements Controller {
  readonly total: TotalDeadline
  /** When it joined the response, by the pool's clock. */
  joinedAt = 0
  #shared: FollowerOwner | undefined
  readonly #handler: Handler
  readonly #chunks: Buffer[] = []
  #trailers: ResponseHeaders | null = null
  #error: Error | null = null
  #settled = false
  buffered = 0

  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: RawHeaders = null
  rawTrailers: RawHeaders = null

  constructor(handler: Handler, total: TotalDeadline) {
    super('MillraceHttpFollower')
    this.#handler = handler
    this.total = total
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
    this.#shared!.balance()
  }

  abort(reason?: Error): void {
    if (this.#settled) return
    this.#settled = true
    this.aborted = true
    this.reason = reason ?? new RequestAbortedError('')
    this.#chunks.length = 0
    this.buffered = 0
    this.#shared!.leave(this)
    this.#handler.onResponseError?.(this, this.reason)
  }

  /** It waits for this response now. */
  follow(shared: FollowerOwner, joinedAt: number): void {
    const isFirst = this.#shared === undefined
    this.#shared = shared
    this.joinedAt = joinedAt
    if (isFirst) this.#handler.onRequestStart?.(this, null)
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
    this.#shared!.balance()
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
