import { RequestAbortedError } from '../errors.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import type { TotalDeadline } from '../time/total-deadline.ts'
import type { Follower, FollowerOwner } from './follower.ts'

/**
 * A response under way to several callers. Each may pause or abort for itself: an abort takes one caller
 * out, the last one ends the request; a caller that pauses gets its chunks later, and holds up the others
 * only once it is {@link mostBuffered} behind.
 */
export class SharedResponse implements Handler, FollowerOwner {
  /** Bytes that one caller may be behind. */
  static readonly mostBuffered: number = 1024 * 1024

  /** That of the caller who has most time. The request is tried again and waited for until then. */
  readonly total: TotalDeadline = { at: 0, timeout: 0 }
  readonly #onOver: () => void
  readonly #followers = new Set<Follower>()
  #controller: Controller | null = null
  #context: unknown = null
  #head: {
    statusCode: number
    headers: ResponseHeaders
    statusMessage: string | undefined
  } | null = null
  #hasData = false
  settled = false

  constructor(onOver: () => void) {
    this.#onOver = onOver
  }

  get canJoin(): boolean {
    return !this.#hasData && !this.settled
  }

  join(follower: Follower, total: TotalDeadline): void {
    this.#followers.add(follower)
    if (total.at > this.total.at) Object.assign(this.total, total)
    follower.start(this.#context)
    if (this.#head !== null && this.#followers.has(follower)) {
      const { statusCode, headers, statusMessage } = this.#head
      follower.head(this.#controller!, statusCode, { ...headers }, statusMessage)
    }
  }

  /** A caller has aborted. */
  leave(follower: Follower): void {
    if (!this.#followers.delete(follower) || this.#followers.size > 0 || this.settled) return
    this.#end()
    this.#controller?.abort(follower.reason ?? new RequestAbortedError(''))
  }

  /** Pauses the sender while some caller is too far behind. */
  balance(): void {
    let most = 0
    for (const { buffered } of this.#followers) most = Math.max(most, buffered)
    if (most > SharedResponse.mostBuffered) this.#controller?.pause()
    else this.#controller?.resume()
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#controller = controller
    this.#context = context
    if (this.settled) controller.abort(new RequestAbortedError(''))
  }

  onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    if (statusCode < 200) return
    this.#controller = controller
    this.#head = { statusCode, headers, statusMessage }
    for (const follower of [...this.#followers]) {
      follower.head(controller, statusCode, { ...headers }, statusMessage)
    }
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.#hasData = true
    for (const follower of [...this.#followers]) follower.data(chunk)
  }

  onResponseEnd(_controller: Controller, trailers: ResponseHeaders): void {
    const followers = [...this.#followers]
    this.#end()
    for (const follower of followers) follower.end(trailers)
  }

  onResponseError(_controller: Controller | null, error: Error): void {
    if (this.settled) return
    const followers = [...this.#followers]
    this.#end()
    for (const follower of followers) follower.error(error)
  }

  #end(): void {
    this.settled = true
    this.#followers.clear()
    this.#onOver()
  }
}
