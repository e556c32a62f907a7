import type { Clock } from '@millrace/kit'
import { BodyLeakError, HttpTimeoutError, RequestAbortedError } from '../errors.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import type { DeadlineHeap, Timed } from '../time/deadline-heap.ts'
import type { TotalDeadline } from '../time/total-deadline.ts'
import type { Follower, FollowerOwner } from './follower.ts'

/** What shared responses take from their pool. */
export interface ShareSettings {
  readonly clock: Clock
  readonly deadlines: DeadlineHeap
  /** In ms; 0 means none. */
  readonly bodyLeakTimeout: number
}

/** What a shared response asks, and tells of those that it does not serve. */
export interface ShareListener {
  /** Whether a response with such a head may go to several callers. */
  mayShare(headers: ResponseHeaders): boolean
  /** It has ended; these are to begin anew. */
  onOver(late: readonly Follower[]): void
  /** Its head says that it is for one caller alone; these are to ask for themselves. */
  onPersonal(others: readonly Follower[]): void
}

/**
 * A response under way to several callers. Each may pause or abort for itself: an abort takes one caller
 * out, the last one ends the request; a caller that pauses gets its chunks later, holds up the others
 * only once it is {@link mostBuffered} behind, and no longer than a body may be left unread.
 */
export class SharedResponse implements Handler, FollowerOwner, Timed {
  /** Bytes that one caller may be behind. */
  static readonly mostBuffered: number = 1024 * 1024

  /** That of the caller who has most time. The request is tried again and waited for until then. */
  readonly total: TotalDeadline = { at: 0, timeout: 0 }
  readonly #origin: string
  readonly #settings: ShareSettings
  readonly #listener: ShareListener
  readonly #followers = new Set<Follower>()
  #controller: Controller | null = null
  #hasHead = false
  settled = false

  deadline = 0
  heapIndex = -1

  constructor(origin: string, settings: ShareSettings, listener: ShareListener) {
    this.#origin = origin
    this.#settings = settings
    this.#listener = listener
  }

  /** Not once the head has come: the time between parts of a body counts from there. */
  get canJoin(): boolean {
    return !this.#hasHead && !this.settled
  }

  join(follower: Follower): void {
    this.#followers.add(follower)
    if (follower.total.at > this.total.at) Object.assign(this.total, follower.total)
    follower.follow(this, this.#settings.clock.now())
  }

  /** A caller has aborted. */
  leave(follower: Follower): void {
    if (!this.#followers.delete(follower) || this.settled) return
    if (this.#followers.size > 0) {
      // It may have been the one that held the others up.
      this.balance()
      return
    }
    this.#end([])
    this.#controller?.abort(follower.reason ?? new RequestAbortedError(''))
  }

  /** Pauses the sender while some caller is too far behind. */
  balance(): void {
    const { clock, deadlines, bodyLeakTimeout } = this.#settings
    if (this.#lagging().length === 0) {
      deadlines.cancel(this)
      this.#controller?.resume()
      return
    }
    if (bodyLeakTimeout !== 0 && this.heapIndex === -1) {
      deadlines.schedule(this, clock.now() + bodyLeakTimeout)
    }
    this.#controller?.pause()
  }

  /** Some caller has held the others up for too long. If all are as far behind, there is no caller to go on for. */
  onDeadline(): void {
    const lagging = this.#lagging()
    const { bodyLeakTimeout } = this.#settings
    if (lagging.length < this.#followers.size) {
      for (const follower of lagging) {
        this.#followers.delete(follower)
        follower.error(new BodyLeakError(bodyLeakTimeout, this.#origin))
      }
    }
    this.balance()
  }

  #lagging(): Follower[] {
    return [...this.#followers].filter(({ buffered }) => buffered > SharedResponse.mostBuffered)
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller
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
    this.#hasHead = true
    if (!this.#listener.mayShare(headers)) this.#keepFirst()
    for (const follower of [...this.#followers]) {
      follower.head(controller, statusCode, { ...headers }, statusMessage)
    }
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    for (const follower of [...this.#followers]) follower.data(chunk)
  }

  onResponseEnd(_controller: Controller, trailers: ResponseHeaders): void {
    const followers = [...this.#followers]
    this.#end([])
    for (const follower of followers) follower.end(trailers)
  }

  onResponseError(_controller: Controller | null, error: Error): void {
    if (this.settled) return
    const followers = [...this.#followers]
    const late = followers.filter(follower => this.#isEarlyFor(follower, error))
    this.#end(late)
    for (const follower of followers) if (!late.includes(follower)) follower.error(error)
  }

  #keepFirst(): void {
    const [, ...others] = this.#followers
    for (const follower of others) this.#followers.delete(follower)
    this.#listener.onPersonal(others)
  }

  /** Whether it is a time-out of a phase that had begun before the call: it still has time, and begins anew. */
  #isEarlyFor({ joinedAt }: Follower, error: Error): boolean {
    if (!(error instanceof HttpTimeoutError) || error.phase === 'total' || this.#hasHead)
      return false
    return joinedAt + error.timeout > this.#settings.clock.now()
  }

  #end(late: readonly Follower[]): void {
    this.settled = true
    this.#settings.deadlines.cancel(this)
    this.#followers.clear()
    this.#listener.onOver(late)
  }
}
