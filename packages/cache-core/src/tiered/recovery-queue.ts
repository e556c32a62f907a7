import { Glob } from '../invalidate/glob.ts'
import type { Invalidation } from './invalidation-bus.ts'

/** Invalidations held at most; beyond, they become one of everything. */
const LONGEST = 10_000

/**
 * Invalidations that did not reach the store, or the other processes, for certain. Of several for one name the newest counts, and a
 * delete outlasts an expire. Bounded without forgetting: too many become one that deletes everything.
 */
export class RecoveryQueue {
  readonly #pending = new Map<string, Invalidation>()
  readonly #globs = new Map<string, Glob>()

  get size(): number {
    return this.#pending.size
  }

  add(invalidations: readonly Invalidation[]): void {
    for (const invalidation of invalidations) this.#add(invalidation)
  }

  /** What is pending now, oldest first. */
  list(): Invalidation[] {
    return [...this.#pending.values()]
  }

  /** Whether it is still pending, not overtaken by a newer one. */
  holds(invalidation: Invalidation): boolean {
    return this.#pending.get(nameOf(invalidation)) === invalidation
  }

  /** It was repeated; does nothing if a newer one took its place meanwhile. */
  remove(invalidation: Invalidation): void {
    if (!this.holds(invalidation)) return
    this.#pending.delete(nameOf(invalidation))
    if (invalidation.target === 'pattern') this.#globs.delete(invalidation.name)
  }

  /** Lets the others go first. */
  postpone(invalidation: Invalidation): void {
    if (!this.holds(invalidation)) return
    this.#pending.delete(nameOf(invalidation))
    this.#pending.set(nameOf(invalidation), invalidation)
  }

  /** A write of the key reached the store, so that nothing of before is there to be invalidated. */
  removeKey(key: string): void {
    if (this.#pending.size !== 0) this.#pending.delete(`key:${key}`)
  }

  /** What pending invalidations mean for an entry of the store. O(tags + patterns). */
  verdict(key: string, tags: readonly string[]): Invalidation['verb'] | undefined {
    if (this.#pending.size === 0) return undefined
    let verdict: Invalidation['verb'] | undefined
    const see = (invalidation: Invalidation | undefined): void => {
      if (invalidation !== undefined && verdict !== 'delete') verdict = invalidation.verb
    }
    see(this.#pending.get('all:'))
    see(this.#pending.get(`key:${key}`))
    for (const tag of tags) see(this.#pending.get(`tag:${tag}`))
    for (const [pattern, glob] of this.#globs) {
      if (glob.test(key)) see(this.#pending.get(`pattern:${pattern}`))
    }
    return verdict
  }

  #add(invalidation: Invalidation): void {
    const name = nameOf(invalidation)
    const before = this.#pending.get(name)
    const verb = before?.verb === 'delete' ? 'delete' : invalidation.verb
    this.#pending.delete(name)
    this.#pending.set(name, { ...invalidation, verb })
    if (invalidation.target === 'pattern') {
      this.#globs.set(invalidation.name, new Glob(invalidation.name))
    }
    if (this.#pending.size <= LONGEST) return
    this.#pending.clear()
    this.#globs.clear()
    this.#pending.set('all:', { verb: 'delete', target: 'all', name: '' })
  }
}

function nameOf({ target, name }: Invalidation): string {
  return `${target}:${name}`
}
