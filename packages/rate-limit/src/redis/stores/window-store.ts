import type { Clock } from '@millrace/kit'
import type { Decision } from '../../limiter/rate-limiter.ts'
import type { Reply, Script } from '../client/script.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import type { StoreClocks } from '../clock/store-clocks.ts'
import {
  blockScript,
  clearScript,
  enterScript,
  forgetScript,
  takeScript,
} from '../scripts/window-scripts.ts'

/** Permits that passed together. */
export interface WindowGrant {
  /** A name that is used once: it makes entering the grant again harmless. */
  readonly nonce: string
  readonly cost: number
  /** When they were asked for, ms on the local clock. */
  readonly at: number
}

/** Some of the permits of a grant: those after the first `from`, up to the `to`th. */
export interface PermitNames {
  readonly nonce: string
  readonly from: number
  readonly to: number
}

/** All permits of a grant. */
export function namesOf({ nonce, cost }: WindowGrant): PermitNames {
  return { nonce, from: 0, to: cost }
}

/** What this process knows of a window's state in Redis: by it a loss is found. */
export interface WindowMark {
  lineage: number
  counter: number
}

export interface WindowStoreOptions {
  readonly guard: StoreGuard
  readonly clock: Clock
  readonly clocks: StoreClocks
  readonly limit: number
  /** In ms. */
  readonly window: number
  /** Hears that other settings rule than this process has. */
  overruled(limit: number, window: number): void
}

/** What became of a wish for permits. */
export interface WindowAnswer {
  readonly decision: Decision
  /** Whether the window has forgotten what this process was given: it has to enter that, and ask again. */
  readonly lost: boolean
  /** For how many ms it lets nothing pass, whatever it holds. */
  readonly blocked: number
}

/** Of grants that are entered at once: a longer script would keep the server from others. */
const GRANTS_AT_ONCE = 500

/** Exact sliding windows in Redis: the scripts in ms instead of microseconds. One round trip per call. */
export class WindowStore {
  readonly #options: WindowStoreOptions

  constructor(options: WindowStoreOptions) {
    this.#options = options
  }

  /**
   * @param mark of the window, where this process has permits in it
   * @param late hears of permits that were given when nothing waited for them any more
   */
  async take(
    key: string,
    { nonce, cost }: WindowGrant,
    mark: WindowMark | undefined,
    late: () => void,
  ): Promise<WindowAnswer> {
    const known = mark === undefined ? [0, 0] : [mark.lineage, mark.counter]
    const answer = await this.#run(
      takeScript,
      key,
      [cost, nonce, ...known],
      mark,
      ([granted]) => granted === 1 && cost > 0 && late(),
    )
    const { decision } = answer
    if (cost === 0 || !decision.allowed) return answer
    return { ...answer, decision: { ...decision, retryAfter: 0 } }
  }

  /** Enters what the store does not know of, with its age; what has left the window is left out. */
  async enter(key: string, grants: readonly WindowGrant[], mark?: WindowMark): Promise<void> {
    const { clock, window } = this.#options
    const now = clock.now()
    const present = grants.filter(({ at }) => now - at < window)
    for (let first = 0; first < present.length; first += GRANTS_AT_ONCE) {
      const args = present
        .slice(first, first + GRANTS_AT_ONCE)
        .flatMap(({ at, nonce, cost }) => [Math.round((now - at) * 1_000), nonce, cost])
      await this.#run(enterScript, key, args, mark)
    }
  }

  /** Takes permits back, however often. */
  async forget(key: string, permits: readonly PermitNames[]): Promise<void> {
    for (let first = 0; first < permits.length; first += GRANTS_AT_ONCE) {
      const args = permits
        .slice(first, first + GRANTS_AT_ONCE)
        .flatMap(({ nonce, from, to }) => [nonce, from, to])
      await this.#run(forgetScript, key, args)
    }
  }

  /** Lets nothing pass for so many ms, by the server's clock. */
  async block(key: string, ms: number): Promise<void> {
    await this.#run(blockScript, key, [ms * 1_000])
  }

  async clear(key: string): Promise<void> {
    await this.#run(clearScript, key, [])
  }

  async #run(
    script: Script,
    key: string,
    rest: readonly (string | number)[],
    mark?: WindowMark,
    late?: (reply: Reply) => unknown,
  ): Promise<WindowAnswer> {
    const { guard, clock, clocks, limit, window, overruled } = this.#options
    const timeline = clocks.known(guard, key) ?? (await clocks.meet(guard, key))
    const sent = clock.now()
    const args = [...timeline.args(sent), limit, window * 1_000, ...rest]
    const reply = await guard.run(script, [key, `${key}:state`], args, late)
    const [granted, wait, left, reset, now, since, ruling, us, lineage, counter, blocked] =
      reply.map(Number) as Numbers
    clocks.note(guard, key, timeline, { now, since, sent })
    if (ruling !== limit || us !== window * 1_000) overruled(ruling, us / 1_000)
    if (mark !== undefined) {
      // Answers keep the order of calls, but for those of another lineage, which tell of a loss.
      mark.counter = lineage === mark.lineage ? Math.max(mark.counter, counter) : counter
      mark.lineage = lineage
    }
    const decision = {
      allowed: granted === 1,
      limit: ruling,
      remaining: left,
      resetAfter: reset / 1_000,
      retryAfter: wait / 1_000,
      nextAfter: left >= 1 ? 0 : wait / 1_000,
    }
    return { decision, lost: granted === -1, blocked: blocked / 1_000 }
  }
}

type Numbers = [
  granted: number,
  wait: number,
  left: number,
  reset: number,
  now: number,
  since: number,
  limit: number,
  window: number,
  lineage: number,
  counter: number,
  blocked: number,
]
