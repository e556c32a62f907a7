import type { Clock } from '@millrace/kit'
import { LimitStoreUnavailableError } from '../../errors.ts'
import type { Decision } from '../../limiter/rate-limiter.ts'
import { WindowLog } from '../../meter/window-log.ts'
import { SLACK } from '../../wait/slack.ts'
import type { RemoteQueue } from '../limit/remote-queue.ts'
import type { WindowGrant, WindowMark, WindowStore } from '../stores/window-store.ts'
import { RecentGrants } from './recent-grants.ts'

export interface LocalWindowOptions {
  readonly store: WindowStore
  /** Of the limit, in errors. */
  readonly name: string
  readonly clock: Clock
  readonly limit: number
  /** In ms. */
  readonly window: number
  /** What the names of this process' grants begin with. */
  readonly identity: string
}

/** So often in a row a window may be found lost. */
const TRIES = 3

/** What this process knows of one window. */
export class LocalWindow {
  /** The calls that wait for it. */
  queue: RemoteQueue<WindowGrant> | undefined = undefined
  /** What has passed here, with and without the store. */
  readonly log: WindowLog
  /** What of it Redis has given, and what it said then. */
  readonly recent: RecentGrants
  readonly #mark: WindowMark = { lineage: 0, counter: 0 }
  readonly #key: string
  readonly #options: LocalWindowOptions
  /** While Redis is told again of what it has lost. */
  #restoring: Promise<void> | undefined = undefined

  constructor(key: string, options: LocalWindowOptions) {
    this.#key = key
    this.#options = options
    const { limit, window, identity } = options
    this.log = new WindowLog(limit, window)
    this.recent = new RecentGrants(identity, window)
  }

  /** Asks Redis, which is told first of what it has lost of this process' permits. */
  async take(grant: WindowGrant, late: () => void): Promise<Decision> {
    const { store, clock, name } = this.#options
    const key = this.#key
    const mark = this.#mark
    for (let tries = 0; tries < TRIES; tries++) {
      await this.#restoring
      // Where this process has no permits, whatever is there has lost nothing of it.
      if (this.recent.empty(clock.now())) mark.lineage = mark.counter = 0
      const answer = await store.take(key, grant, mark, late)
      // So that the block holds while Redis is away.
      this.log.pause(answer.blocked, clock.now())
      if (!answer.lost) return answer.decision
      await this.restore()
    }
    // A store that evicts what it has just been told keeps no limit.
    throw new LimitStoreUnavailableError(name, { cause: new Error('Redis loses the window again') })
  }

  /** Tells Redis again what it has given this process in the present window. */
  restore(): Promise<void> {
    const { store } = this.#options
    this.#restoring ??= store.enter(this.#key, this.recent.all(), this.#mark).finally(() => {
      this.#restoring = undefined
    })
    return this.#restoring
  }

  /** Decides without Redis. The log has room for the whole limit, of which the shares of the others are taken to be used. */
  decide(cost: number, share: number): Decision {
    const { log } = this
    const { limit, clock } = this.#options
    const now = clock.now()
    const others = limit - share
    const wait = log.dueAt(cost + others, 0, now) - now
    const allowed = wait <= SLACK
    if (allowed) log.take(cost, now)
    return {
      allowed,
      limit: share,
      remaining: Math.max(0, log.available(now) - others),
      resetAfter: log.resetAfter(now),
      retryAfter: allowed ? 0 : wait,
      nextAfter: Math.max(0, log.dueAt(1 + others, 0, now) - now),
    }
  }
}
