import { checkMethods, InvalidOptionError } from '@millrace/kit'
import type { Decision } from '../limiter/rate-limiter.ts'

/** What is used of a limiter by key: {@link KeyedLimiter}, {@link KeyedWindow}, or one of them on Redis. */
export interface KeyedLimitPart {
  readonly name: string
  decide(key: string, cost?: number): Decision | Promise<Decision>
  refund?(key: string, cost?: number): unknown
  get?(key: string): Decision | Promise<Decision>
  penalize?(key: string, cost?: number): unknown
  block?(key: string, ms: number): unknown
  reset?(key: string): unknown
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
    return joined(parts)
  }

  /** Gives back what was granted but not used, in all limits. */
  async refund(key: string, cost = 1): Promise<void> {
    await Promise.all(this.#limits.map(limit => limit.refund?.(key, cost)))
  }

  /**
   * The key's limits as they are, without spending: `allowed` says whether one permit could be had of all now.
   *
   * @throws (by rejection) {InvalidOptionError} where one of them has no `get`; what they throw
   */
  async get(key: string): Promise<JointDecision<L>> {
    const parts = await this.#each('get', async limiter => ({
      limiter,
      decision: await limiter.get!(key),
    }))
    return joined(parts)
  }

  /** Spends `cost` of the key as a penalty in all limits. @throws (by rejection) as {@link get} does, for `penalize` */
  async penalize(key: string, cost = 1): Promise<void> {
    await this.#each('penalize', limit => limit.penalize!(key, cost))
  }

  /** Has the key's next permit come after `ms` in all limits. @throws (by rejection) as {@link get} does, for `block` */
  async block(key: string, ms: number): Promise<void> {
    await this.#each('block', limit => limit.block!(key, ms))
  }

  /** Forgets what the key has spent in all limits. @throws (by rejection) as {@link get} does, for `reset` */
  async reset(key: string): Promise<void> {
    await this.#each('reset', limit => limit.reset!(key))
  }

  /** Nothing is done to any unless all of them can. */
  #each<T>(
    method: 'get' | 'penalize' | 'block' | 'reset',
    call: (limit: L) => T | Promise<T>,
  ): Promise<T[]> {
    for (const limit of this.#limits) checkMethods('limits', limit, 'limiters', [method])
    return Promise.all(this.#limits.map(call))
  }
}

/** Of what refuses the one that takes longest, else the scarcest. */
function joined<L extends KeyedLimitPart>(parts: readonly PartDecision<L>[]): JointDecision<L> {
  const { limiter, decision } = parts.reduce((one, other) => {
    const [a, b] = [one.decision, other.decision]
    const worse = b.retryAfter - a.retryAfter || a.remaining - b.remaining
    return worse > 0 ? other : one
  })
  return { ...decision, limiter, parts }
}

async function giveBack(parts: readonly PartDecision[], key: string, cost: number): Promise<void> {
  await Promise.all(parts.map(({ limiter }) => limiter.refund?.(key, cost)))
}
