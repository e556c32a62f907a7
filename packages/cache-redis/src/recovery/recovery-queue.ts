import type { Invalidation } from '@millrace/cache-core/tiered'
import { matchesGlob } from './glob.ts'

type Verb = Invalidation['verb']

/**
 * Invalidations of which it is not known that Redis carried them out, each once, to be repeated when it is back. Until then nothing
 * that they concern may be taken from Redis. Beyond the limit they become one that deletes everything: memory stays bounded and nothing
 * is forgotten.
 */
export class RecoveryQueue {
  readonly #limit: number
  readonly #keys = new Map<string, Invalidation>()
  readonly #tags = new Map<string, Invalidation>()
  readonly #patterns = new Map<string, Invalidation>()
  #all: Invalidation | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return (
      this.#keys.size + this.#tags.size + this.#patterns.size + (this.#all === undefined ? 0 : 1)
    )
  }

  add(invalidation: Invalidation): void {
    const { verb, target, name } = invalidation
    if (target === 'all') {
      if (verb === 'delete') this.clear()
      // Once more, so that a repetition which is under way does not end it.
      this.#all = this.#all?.verb === 'delete' ? { ...this.#all } : invalidation
      return
    }
    if (this.#all?.verb === 'delete') {
      this.#all = { ...this.#all }
      return
    }
    const waiting = this.#of(target)
    // A delete says more than an expire of the same.
    waiting.set(
      name,
      waiting.get(name)?.verb === 'delete' ? { ...invalidation, verb: 'delete' } : invalidation,
    )
    if (this.size > this.#limit) {
      this.clear()
      this.#all = { verb: 'delete', target: 'all', name: '' }
    }
  }

  /** Everything that waits, the widest first. */
  list(): Invalidation[] {
    const all = this.#all === undefined ? [] : [this.#all]
    return [...all, ...this.#tags.values(), ...this.#patterns.values(), ...this.#keys.values()]
  }

  /** Takes out what was repeated, unless it has been asked for again. */
  done(invalidation: Invalidation): void {
    const { target, name } = invalidation
    if (target === 'all') {
      if (this.#all === invalidation) this.#all = undefined
      return
    }
    const waiting = this.#of(target)
    if (waiting.get(name) === invalidation) waiting.delete(name)
  }

  /** Takes out what a newer success has overtaken: what a key holds now is known. */
  forget(target: 'key' | 'tag', name: string): void {
    this.#of(target).delete(name)
  }

  clear(): void {
    this.#keys.clear()
    this.#tags.clear()
    this.#patterns.clear()
    this.#all = undefined
  }

  /** What should have happened to a value already, or `undefined`. O(tags + waiting patterns). */
  doubt(key: string, tags: readonly string[]): Verb | undefined {
    let verb = this.#all?.verb
    if (verb === 'delete') return verb
    verb = this.#keys.get(key)?.verb ?? verb
    for (const tag of tags) {
      if (verb === 'delete') return verb
      verb = this.#tags.get(tag)?.verb ?? verb
    }
    for (const invalidation of this.#patterns.values()) {
      if (verb === 'delete') return verb
      if (matchesGlob(invalidation.name, key)) verb = invalidation.verb
    }
    return verb
  }

  #of(target: 'key' | 'tag' | 'pattern'): Map<string, Invalidation> {
    if (target === 'key') return this.#keys
    return target === 'tag' ? this.#tags : this.#patterns
  }
}
