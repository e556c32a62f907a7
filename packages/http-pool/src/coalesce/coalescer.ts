import type { Handler } from '../handler.ts'
import type { Dispatch, ExchangeOptions } from '../request/exchange-options.ts'
import { headerList } from '../request/header-list.ts'
import { Follower } from './follower.ts'
import { isShareable } from './shareable.ts'
import { SharedResponse, type ShareSettings } from './shared-response.ts'

/** As long as Varnish's hit-for-miss by default. */
const PERSONAL_TTL = 120_000

const MAX_PERSONAL = 1_000

/**
 * Lets GET and HEAD requests that are the same, headers included, share one response while it is under way.
 * A request joins until the head has come. If that says that the response is for one caller alone, the others ask for themselves, and
 * so do all who ask the same in the next two minutes, who would wait for a head in vain.
 */
export class Coalescer {
  readonly #next: Dispatch
  readonly #settings: ShareSettings
  readonly #shared = new Map<string, SharedResponse>()
  /** Until when, by the pool's clock, what was asked for is not shared; the oldest first. */
  readonly #personal = new Map<string, number>()
  /** Requests that joined another. */
  joined = 0

  constructor(next: Dispatch, settings: ShareSettings) {
    this.#next = next
    this.#settings = settings
  }

  dispatch(options: ExchangeOptions, handler: Handler): void {
    const { method, body } = options
    const isShareable = (method === 'GET' || method === 'HEAD') && (body ?? null) === null
    if (!isShareable || options.upgrade) {
      this.#next(options, handler)
      return
    }
    const key = requestKey(options)
    // The total is set by the bounds of the call.
    const follower = new Follower(handler, options.total!)
    if (this.#isPersonal(key)) {
      this.#begin(undefined, options, [follower])
      return
    }
    const running = this.#shared.get(key)
    if (running?.canJoin !== true) {
      this.#begin(key, options, [follower])
      return
    }
    this.joined++
    running.join(follower)
  }

  /** @param key that others may join it by */
  #begin(key: string | undefined, options: ExchangeOptions, followers: readonly Follower[]): void {
    const shared = new SharedResponse(String(options.origin), this.#settings, {
      // A hook may have said otherwise for whom it is once it was sent.
      mayShare: headers => options.identified?.hasChanged !== true && isShareable(headers),
      onOver: late => {
        if (key !== undefined && this.#shared.get(key) === shared) this.#shared.delete(key)
        // In the context of one of them, as a hook may look there for whose request it is.
        late[0]?.runInAsyncScope(this.#begin, this, key, options, late)
      },
      onPersonal: others => {
        if (key !== undefined) this.#rememberPersonal(key)
        for (const other of others) {
          other.runInAsyncScope(this.#begin, this, undefined, options, [other])
        }
      },
    })
    if (key !== undefined) this.#shared.set(key, shared)
    for (const follower of followers) shared.join(follower)
    // Its caller may have aborted at once.
    if (shared.settled) return
    try {
      this.#next({ ...options, total: shared.total }, shared)
    } catch (error) {
      // Or others would join what does not come.
      shared.onResponseError(null, error as Error)
    }
  }

  #isPersonal(key: string): boolean {
    const until = this.#personal.get(key)
    if (until === undefined) return false
    if (until > this.#settings.clock.now()) return true
    this.#personal.delete(key)
    return false
  }

  #rememberPersonal(key: string): void {
    this.#personal.delete(key)
    this.#personal.set(key, this.#settings.clock.now() + PERSONAL_TTL)
    if (this.#personal.size > MAX_PERSONAL) {
      this.#personal.delete(this.#personal.keys().next().value!)
    }
  }
}

/**
 * JSON, so that no header value can imitate the end of another. The policy is part of it, but for the total
 * time, which each caller keeps for itself: the limits of one call do not hold for another.
 */
function requestKey({ origin, method, path, headers, policy }: ExchangeOptions): string {
  const { retry, totalTimeout: _own, ...rest } = policy ?? {}
  const list = headerList(headers)
  return JSON.stringify([String(origin), method, path, list, retry !== undefined, rest])
}
