import { Glob } from '../../invalidate/glob.ts'
import type { Invalidation } from '../bus/invalidation-bus.ts'

/** Invalidations held at most; beyond, they become one of everything. */
const LONGEST = 10_000

/** An invalidation that waits to be repeated. */
interface Waiting extends Invalidation {
  /** Number of the call that failed. */
  readonly order: number
}

/** One that was made good, for reads that began before. */
interface Departed {
  readonly verb: Invalidation['verb']
  /** How many had been made good before, itself included. */
  readonly departure: number
}

/** Calls under way that concern one key. */
interface KeyCalls {
  count: number
  /** Number of the latest of them after which it is known what the store has of the key. */
  settled: number
}

/**
 * Invalidations that did not reach the store, or the other processes, for certain. The newest call wins: what succeeded after a failed
 * call had begun makes its repetition superfluous, and nothing is repeated beside another call for its key. Of several for one name the
 * newest counts, and a delete outlasts an expire. Bounded without forgetting: too many become one that deletes everything.
 */
export class RecoveryQueue {
  readonly #pending = new Map<string, Waiting>()
  readonly #globs = new Map<string, Glob>()
  readonly #underWay = new Map<string, KeyCalls>()
  readonly #departed = new Map<string, Departed>()
  #departures = 0
  /** Reads under way that began while something was pending. */
  #reads = 0
  #calls = 0

  get size(): number {
    return this.#pending.size
  }

  /**
   * A call begins that changes what the store has of `keys`, until {@link end}. Its number: of two calls that concern the same, the one
   * that began later has the higher one.
   */
  begin(keys: Iterable<string>): number {
    for (const key of keys) {
      const calls = this.#underWay.get(key)
      if (calls === undefined) this.#underWay.set(key, { count: 1, settled: 0 })
      else calls.count++
    }
    return ++this.#calls
  }

  end(keys: Iterable<string>): void {
    for (const key of keys) {
      const calls = this.#underWay.get(key)!
      if (--calls.count === 0) this.#underWay.delete(key)
    }
  }

  /**
   * What a call was for did not happen for certain.
   *
   * @param order number of the call; by default later than all others, as of what may still happen
   */
  add(invalidations: Iterable<Invalidation>, order: number = ++this.#calls): void {
    for (const invalidation of invalidations) this.#add({ ...invalidation, order })
  }

  /** A call succeeded, and with it what failed before it began. A write makes as much good as a delete of its key does. */
  overtake({ verb, target, name }: Invalidation, order: number): void {
    if (target === 'key' && verb === 'delete') {
      const calls = this.#underWay.get(name)
      if (calls !== undefined) calls.settled = Math.max(calls.settled, order)
    }
    if (this.#pending.size === 0) return
    const everything =
      target === 'all' ? this.list() : [this.#pending.get(nameOf({ target, name }))]
    for (const waiting of everything) {
      // A delete is not made good by an expire.
      if (waiting === undefined || (verb === 'expire' && waiting.verb === 'delete')) continue
      if (waiting.order < order) this.remove(waiting)
    }
  }

  /** What is pending now, oldest first. */
  list(): Waiting[] {
    return [...this.#pending.values()]
  }

  /** Whether it is still pending and may be repeated now: not beside another call for its key, whose outcome decides. */
  isDue(waiting: Waiting): boolean {
    if (waiting.target === 'key' && this.#underWay.has(waiting.name)) return false
    return this.#holds(waiting)
  }

  /** It was repeated; does nothing if a newer one took its place meanwhile. */
  remove(waiting: Waiting): void {
    if (!this.#holds(waiting)) return
    if (this.#reads !== 0) this.#depart(waiting)
    this.#pending.delete(nameOf(waiting))
    if (waiting.target === 'pattern') this.#globs.delete(waiting.name)
  }

  /** Lets the others go first. */
  postpone(waiting: Waiting): void {
    if (!this.#holds(waiting)) return
    this.#pending.delete(nameOf(waiting))
    this.#pending.set(nameOf(waiting), waiting)
  }

  /**
   * A read of the store begins, until {@link endRead}: what is pending now counts for what it will bring, be it made good meanwhile.
   *
   * @returns its number, for {@link verdict}; `undefined` where nothing is pending, and then there is nothing to end
   */
  beginRead(): number | undefined {
    if (this.#pending.size === 0) return undefined
    this.#reads++
    return this.#departures
  }

  endRead(read: number | undefined): void {
    if (read !== undefined && --this.#reads === 0) this.#departed.clear()
  }

  /**
   * What pending invalidations mean for an entry of the store, and those that were made good since a read began. O(tags + patterns).
   *
   * @param read number of the read that brought it
   */
  verdict(
    key: string,
    tags: readonly string[],
    read: number = Infinity,
  ): Invalidation['verb'] | undefined {
    if (this.#pending.size === 0 && read >= this.#departures) return undefined
    let verdict: Invalidation['verb'] | undefined
    const see = (invalidation: Pick<Invalidation, 'verb'> | undefined): void => {
      if (invalidation !== undefined && verdict !== 'delete') verdict = invalidation.verb
    }
    for (const name of ['all:', `key:${key}`, ...tags.map(tag => `tag:${tag}`)]) {
      see(this.#pending.get(name))
      const departed = this.#departed.get(name)
      if (departed !== undefined && departed.departure > read) see(departed)
    }
    for (const [pattern, glob] of this.#globs) {
      if (glob.test(key)) see(this.#pending.get(`pattern:${pattern}`))
    }
    return verdict
  }

  #depart({ verb, target, name }: Waiting): void {
    // A pattern stands for everything, so that none has to be matched.
    const isWide = target === 'pattern' || this.#departed.size >= LONGEST
    const id = isWide ? 'all:' : nameOf({ target, name })
    const isDelete = verb === 'delete' || this.#departed.get(id)?.verb === 'delete' || isWide
    if (this.#departed.size >= LONGEST) this.#departed.clear()
    this.#departed.set(id, {
      verb: isDelete ? 'delete' : 'expire',
      departure: ++this.#departures,
    })
  }

  #holds(waiting: Waiting): boolean {
    return this.#pending.get(nameOf(waiting)) === waiting
  }

  #add(failed: Waiting): void {
    const { target, order } = failed
    const settled = target === 'key' ? (this.#underWay.get(failed.name)?.settled ?? 0) : 0
    if (settled > order) return
    const name = nameOf(failed)
    const before = this.#pending.get(name)
    const verb = before?.verb === 'delete' ? 'delete' : failed.verb
    this.#pending.delete(name)
    this.#pending.set(name, { ...failed, verb, order: Math.max(order, before?.order ?? 0) })
    if (target === 'pattern') this.#globs.set(failed.name, new Glob(failed.name))
    if (this.#pending.size <= LONGEST) return
    this.#pending.clear()
    this.#globs.clear()
    this.#pending.set('all:', { verb: 'delete', target: 'all', name: '', order: ++this.#calls })
  }
}

function nameOf({ target, name }: Pick<Invalidation, 'target' | 'name'>): string {
  return `${target}:${name}`
}
