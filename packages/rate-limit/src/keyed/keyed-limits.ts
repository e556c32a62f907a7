import { InvalidOptionError } from '@millrace/kit'
import type { Decision } from '../limiter/rate-limiter.ts'

/** What is used of a limiter by key: {@link KeyedLimiter}, {@link KeyedWindow}, or one of them on Redis. */
export interface KeyedLimitPart {
  readonly name: string
  decide(key: string, cost?: number): Decision | Promise<Decision>
  refund?(key: string, cost?: number): unknown
}

/** What one of several limits has said. */
export interface PartDecision<L extends KeyedLimitPart = KeyedLimitPart> {
  readonly limiter: L
  readonly decision: Decision
}

/** What several limits have said together: the numbers are those of the limit that refused, else of the scarcest. */
export interface JointDecision<L extends KeyedLimitPart = KeyedLimitPart> extends Decision {
  /** The limit that they are of. */
  readonly limiter: L
  /** What each has said; of a call that was refused the one that did. */
  readonly parts: readonly PartDecision<L>[]
}

/**
 * Several limits per key that are passed together or not at all, such as 10 per second and 1,000 per day and user, local and on Redis
 * side by side. They are asked in turn: the first that refuses ends it, and those before it get back what they had granted.
 */
export class KeyedLimits<L extends KeyedLimitPart = KeyedLimitPart> {
  /** Tells wrappers that calls name a key. */
  readonly keyed = true
  readonly #limits: readonly L[]

  /** @throws {InvalidOptionError} for none, for one twice, and for one but the last that takes no refunds */
  constructor(limits: readonly L[]) {
    const isLimit = (limit: L) =>
      typeof limit?.decide === 'function' && typeof limit.name === 'string'
    if (!Array.isArray(limits) || limits.length === 0 || !limits.every(isLimit)) {
      throw new InvalidOptionError('limits', 'an array of at least one limiter by key', limits)
    }
    if (new Set(limits).size !== limits.length) {
      throw new InvalidOptionError('limits', 'limiters that are each contained once', limits)
    }
    // Asked last it has nothing to give back.
    if (limits.slice(0, -1).some(limit => typeof limit.refund !== 'function')) {
      throw new InvalidOptionError('limits', 'limiters that take refunds, but for the last', limits)
    }
    this.#limits = [...limits]
  }

  /** The names of all, joined by a plus sign. */
  get name(): string {
    return this.#limits.map(({ name }) => name).join('+')
  }

  /** Spends `cost` of the key in all limits, or in none. @throws (by rejection) as {@link decide} does */
  async tryAcquire(key: string, cost = 1): Promise<boolean> {
    return (await this.decide(key, cost)).allowed
  }

  /**
   * {@link tryAcquire} with all that a response header or a log line needs.
   *
   * @throws (by rejection) what the limits throw; then too nothing is spent
   */
  async decide(key: string, cost = 1): Promise<JointDecision<L>> {
    const parts: PartDecision<L>[] = []
    try {
      for (const limiter of this.#limits) {
        const decision = await limiter.decide(key, cost)
        if (!decision.allowed) {
          await giveBack(parts, key, cost)
          return { ...decision, limiter, parts: [{ limiter, decision }] }
        }
        parts.push({ limiter, decision })
      }
    } catch (error) {
      await giveBack(parts, key, cost)
      throw error
    }
    const scarcest = parts.reduce((least, part) =>
      part.decision.remaining < least.decision.remaining ? part : least,
    )
    return { ...scarcest.decision, limiter: scarcest.limiter, parts }
  }

  /** Gives back what was granted but not used, in all limits. */
  async refund(key: string, cost = 1): Promise<void> {
    await Promise.all(this.#limits.map(limit => limit.refund?.(key, cost)))
  }
}

async function giveBack(parts: readonly PartDecision[], key: string, cost: number): Promise<void> {
  await Promise.all(parts.map(({ limiter }) => limiter.refund?.(key, cost)))
}
