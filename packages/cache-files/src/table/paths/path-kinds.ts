import { Cache } from '@millrace/cache-core'
import type { Trust } from '../trust/trust.ts'
import { type PathKind, pathKind } from './path-kind.ts'

interface HeldKind {
  readonly kind: PathKind
  trust: number
}

/** What is under paths, missing ones included, remembered only where a feed reports what changes there. */
export class PathKinds {
  readonly #held: Cache<string, HeldKind>
  readonly #trust: Trust

  constructor(limit: number, trust: Trust) {
    this.#held = new Cache({ maxEntries: limit })
    this.#trust = trust
  }

  /** Blocks for a `stat`. */
  kind(path: string): PathKind {
    const held = this.#held.get(path)
    if (held !== undefined && this.#trust.holds(held.trust)) return held.kind
    const kind = pathKind(path)
    const trust = this.#trust.mark(path)
    if (trust !== 0) this.#held.set(path, { kind, trust })
    return kind
  }

  /** The next call looks again. */
  doubt(path: string): void {
    const held = this.#held.peek(path)
    if (held !== undefined) held.trust = 0
  }

  paths(): Iterable<string> {
    return this.#held.keys()
  }
}
