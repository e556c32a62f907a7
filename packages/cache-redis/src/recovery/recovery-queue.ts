import { Glob } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'

type Verb = Invalidation['verb']
type Named = Exclude<Invalidation['target'], 'all'>

/** An invalidation that waits to be repeated. */
export interface Unconfirmed extends Invalidation {
  /** Which call it was: those that began later have a higher number. */
  readonly order: number
  /** Until when the call may still take effect in Redis, in ms of the store's clock, where that would do harm: a write that was sent. */
  readonly until: number
}

/** A call that succeeded. A write makes as much good as a delete of its key does. */
export type Success = Omit<Unconfirmed, 'until'>

/**
 * Invalidations of which it is not known that Redis carried them out, each once, to be repeated when it is back. Until then nothing
 * that they concern may be taken from Redis. Beyond the limit they become one that deletes everything: memory stays bounded and nothing
 * is forgotten.
 */
export class RecoveryQueue {
  readonly #limit: number
  readonly #named: Readonly<Record<Named, Map<string, Unconfirmed>>> = {
    tag: new Map(),
    pattern: new Map(),
    key: new Map(),
  }
  readonly #globs = new Map<string, Glob>()
  #all: Unconfirmed | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    const { tag, pattern, key } = this.#named
    return key.size + tag.size + pattern.size + (this.#all === undefined ? 0 : 1)
  }

  add(failed: Unconfirmed): void {
    const { target, name } = failed
    if (target === 'all' || this.#all?.verb === 'delete') {
      this.#widen(failed)
      return
    }
    const waiting = this.#named[target]
    waiting.set(name, merged(waiting.get(name), failed))
    if (target === 'pattern') this.#globs.set(name, new Glob(name))
    if (this.size > this.#limit) this.#widen({ ...failed, verb: 'delete' })
  }

  /** Everything that waits, the widest first. */
  list(): Unconfirmed[] {
    const { tag, pattern, key } = this.#named
    const all = this.#all === undefined ? [] : [this.#all]
    return [...all, ...tag.values(), ...pattern.values(), ...key.values()]
  }

  /** Whether it waits still: it was neither done nor overtaken, nor has it been asked for again. */
  has(waiting: Unconfirmed): boolean {
    const { target, name } = waiting
    return (target === 'all' ? this.#all : this.#named[target].get(name)) === waiting
  }

  /** Takes out what was repeated, unless it has been asked for again. */
  done(waiting: Unconfirmed): void {
    if (this.has(waiting)) this.#remove(waiting)
  }

  /** Takes out what a later call that succeeded has made superfluous. */
  overtake({ verb, target, name, order }: Success, now: number): void {
    const isOver = (waiting: Unconfirmed): boolean =>
      waiting.order < order &&
      waiting.until <= now &&
      // A delete is not made good by an expire.
      (verb === 'delete' || waiting.verb === 'expire')
    if (target === 'all') {
      for (const waiting of this.list()) if (isOver(waiting)) this.#remove(waiting)
      return
    }
    const waiting = this.#named[target].get(name)
    if (waiting !== undefined && isOver(waiting)) this.#remove(waiting)
  }

  /** What should have happened to a value already, or `undefined`. O(tags + waiting patterns). */
  doubt(key: string, tags: readonly string[]): Verb | undefined {
    const { tag: ofTags, pattern: patterns, key: keys } = this.#named
    let verb = this.#all?.verb
    if (verb === 'delete') return verb
    verb = keys.get(key)?.verb ?? verb
    for (const tag of tags) {
      if (verb === 'delete') return verb
      verb = ofTags.get(tag)?.verb ?? verb
    }
    for (const invalidation of patterns.values()) {
      if (verb === 'delete') return verb
      if (this.#globs.get(invalidation.name)!.test(key)) verb = invalidation.verb
    }
    return verb
  }

  #remove({ target, name }: Unconfirmed): void {
    if (target === 'all') this.#all = undefined
    else this.#named[target].delete(name)
    if (target === 'pattern') this.#globs.delete(name)
  }

  /** Lets one of everything stand for it, and, if it deletes, for all others, too. */
  #widen(failed: Unconfirmed): void {
    let all = merged(this.#all, { ...failed, target: 'all', name: '' })
    if (all.verb === 'delete') {
      for (const waiting of Object.values(this.#named)) {
        for (const each of waiting.values()) all = merged(each, all)
        waiting.clear()
      }
      this.#globs.clear()
    }
    this.#all = all
  }
}

/** The later of two as far as it goes: a delete says more than an expire. Another object, so that a repetition under way does not end it. */
function merged(earlier: Unconfirmed | undefined, later: Unconfirmed): Unconfirmed {
  if (earlier === undefined) return { ...later }
  return {
    ...later,
    verb: earlier.verb === 'delete' ? 'delete' : later.verb,
    order: Math.max(earlier.order, later.order),
    until: Math.max(earlier.until, later.until),
  }
}
