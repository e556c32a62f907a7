import { equal, notEqual, ok } from 'node:assert/strict'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { insight } from '../advise/insight.ts'
import { FRESH, Lifetime, type RemovalReason } from '../kernel/entry.ts'
import { assertConsistent } from '../kernel/kernel.fixture.ts'
import { ABSENT, Kernel } from '../kernel/kernel.ts'
import { type CreatePolicy, policies } from '../policy/policies.ts'

/*
 * Random commands on a kernel and on a plain model. The model knows what must be there except for what the policy chose to
 * evict, which it learns from `onRemove`. After each command both must hold the same, and the kernel's columns, queues and sums
 * must agree with each other.
 */

interface Configuration {
  readonly policy: CreatePolicy
  readonly maxEntries: number
  readonly maxWeight: number
  readonly idle: number
  readonly keyOf: (n: number) => unknown
  readonly watched: boolean
}

/** Keys of each kind that is held in another way, and mixed. */
const kinds: ((n: number) => unknown)[] = [
  n => n,
  n => `k${n}`,
  n => `${n}`.padStart(40, 'long key '),
  n => [n, `${n}`, BigInt(n), -n, n / 2 ** 40][n % 5],
]

interface Held {
  value: number
  weight: number
  expires: number
  retained: number
  /** When an unread entry expires. */
  idleUntil: number
}

type Command =
  | { readonly kind: 'store'; key: number; ttl: number; keep: number; weight: number }
  | { readonly kind: 'find' | 'remove' | 'stale' | 'locate'; key: number }
  | { readonly kind: 'advance'; by: number }
  | { readonly kind: 'resize'; entries: number; weight: number }
  | { readonly kind: 'clear' | 'purge' | 'compact' }

/** Keys are made of the integers up to this. */
const MOST = 40
const key = fc.integer({ min: 0, max: MOST })
const settings = {
  idle: fc.constantFrom(0, 0, 15),
  keyOf: fc.constantFrom(...kinds),
  watched: fc.boolean(),
}
const commands = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('store' as const),
        key,
        ttl: fc.constantFrom(Infinity, Infinity, 5, 50),
        keep: fc.constantFrom(0, 0, 20, Infinity),
        weight: fc.integer({ min: 0, max: 9 }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('find' as const), key }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('remove' as const, 'stale' as const, 'locate' as const),
        key,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('advance' as const),
        by: fc.integer({ min: 0, max: 30 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('resize' as const),
        entries: fc.integer({ min: 1, max: 30 }),
        weight: fc.integer({ min: 1, max: 60 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('clear' as const, 'purge' as const, 'compact' as const),
      }),
    },
  ),
  { maxLength: 150, size: 'max' },
)

class Pair {
  readonly clock = new VirtualClock(1_000)
  readonly held = new Map<number, Held>()
  readonly kernel: Kernel<unknown, number>
  readonly #numbers = new Map<unknown, number>()
  readonly #weighted: boolean
  readonly #configuration: Configuration
  #serial = 0
  #storing: number | undefined

  constructor(configuration: Configuration) {
    this.#configuration = configuration
    this.#weighted = configuration.maxWeight !== Infinity
    for (let n = 0; n <= MOST; n++) this.#numbers.set(configuration.keyOf(n), n)
    equal(this.#numbers.size, MOST + 1)
    this.kernel = new Kernel<unknown, number>({
      policy: configuration.policy,
      maxEntries: configuration.maxEntries,
      maxWeight: configuration.maxWeight,
      weighted: this.#weighted,
      idle: configuration.idle,
      clock: this.clock,
    })
    this.kernel.onRemove = (key, value, reason) =>
      this.#removed(this.#numbers.get(key)!, value, reason)
    if (configuration.watched) {
      this.kernel.observe(insight()(this.kernel, configuration.policy))
    }
  }

  run(command: Command): void {
    const { kernel, held } = this
    switch (command.kind) {
      case 'store':
        this.#store(command)
        break
      case 'find': {
        const slot = kernel.find(this.#keyOf(command.key))
        equal(slot !== ABSENT, this.#isFresh(command.key))
        if (slot === ABSENT) break
        equal(kernel.values[slot], held.get(command.key)!.value)
        this.#read(held.get(command.key)!)
        break
      }
      case 'locate':
        equal(kernel.locate(this.#keyOf(command.key)) !== ABSENT, held.has(command.key))
        break
      case 'remove': {
        const fresh = this.#isFresh(command.key)
        equal(kernel.remove(this.#keyOf(command.key), 'deleted'), fresh)
        equal(held.has(command.key), false)
        break
      }
      case 'stale': {
        const slot = kernel.locate(this.#keyOf(command.key))
        if (slot === ABSENT) break
        kernel.stale(slot)
        const entry = held.get(command.key)!
        const now = this.clock.now()
        // Without an end of its own the entry is kept for as long as the policy keeps it.
        entry.retained = Math.max(now, entry.retained)
        entry.expires = entry.idleUntil = now
        break
      }
      case 'advance':
        this.clock.advance(command.by)
        break
      case 'resize':
        kernel.resize(command.entries, this.#weighted ? command.weight : Infinity)
        break
      case 'clear':
        kernel.clear('cleared')
        equal(held.size, 0)
        break
      case 'purge':
        kernel.purge()
        break
      case 'compact':
        kernel.policy.compact()
        break
    }
  }

  compare(): void {
    const { kernel, held } = this
    assertConsistent(kernel)
    equal(kernel.size, held.size)
    for (const [key, entry] of held) {
      const slot = kernel.locate(this.#keyOf(key))
      notEqual(slot, ABSENT)
      equal(kernel.values[slot], entry.value)
      equal(kernel.state(slot) === FRESH, this.#isFresh(key))
    }
  }

  #store({ key, ttl, keep, weight }: Extract<Command, { kind: 'store' }>): void {
    const { kernel, held, clock } = this
    const value = this.#serial++
    const expires = clock.now() + ttl
    const entry: Held = { value, weight, expires, retained: expires + keep, idleUntil: Infinity }
    this.#read(entry)
    this.#storing = key
    const before = held.get(key)
    const lifetime = Object.assign(new Lifetime(), { expires, retained: expires + keep })
    const slot = kernel.store(this.#keyOf(key), value, weight, lifetime)
    this.#storing = undefined
    if (slot === ABSENT) {
      // Refused, or replaced and then itself what had to make room: either way nothing is left under the key.
      equal(held.has(key) && held.get(key) !== before, false)
      held.delete(key)
    } else {
      held.set(key, entry)
    }
  }

  #removed(key: number, value: number, reason: RemovalReason): void {
    const entry = this.held.get(key)
    if (reason === 'replaced') equal(this.#storing, key)
    if (reason === 'expired') equal(this.#isFresh(key), false)
    if (key === this.#storing && entry?.value !== value) return
    equal(entry?.value, value)
    if (this.#weighted && (reason === 'evicted' || reason === 'resized') && key !== this.#storing) {
      ok(entry!.weight > 0, 'weight 0 pins')
    }
    this.held.delete(key)
  }

  #keyOf(n: number): unknown {
    return this.#configuration.keyOf(n)
  }

  #read(entry: Held): void {
    if (this.#configuration.idle !== 0)
      entry.idleUntil = this.clock.now() + this.#configuration.idle
  }

  #isFresh(key: number): boolean {
    const entry = this.held.get(key)
    return entry !== undefined && this.clock.now() < Math.min(entry.expires, entry.idleUntil)
  }
}

/** As of a cache that is bounded by weight alone. The memory of departures is sized by it: making that is most of such a run. */
const UNBOUNDED = 2 ** 24
const MANY = 2 ** 10
const limits = [
  { maxEntries: 10, maxWeight: Infinity },
  { maxEntries: UNBOUNDED, maxWeight: 40 },
  { maxEntries: MANY, maxWeight: 40 },
  { maxEntries: 8, maxWeight: 40 },
  { maxEntries: 1, maxWeight: Infinity },
]

describe.each(Object.entries(policies))('%s', (_name, policy) => {
  test.each(limits)('holds what a plain map would, less what it evicted: %o', limit => {
    fc.assert(
      fc.property(fc.record(settings), commands, (setting, list) => {
        const pair = new Pair({ policy, ...limit, ...setting })
        for (const command of list) {
          const present = new Map(pair.held)
          try {
            pair.run(command as Command)
            pair.compare()
          } catch (error) {
            throw new Error(`after ${JSON.stringify(command)} with ${present.size} held`, {
              cause: error,
            })
          }
        }
      }),
      { numRuns: runs(limit.maxEntries === UNBOUNDED ? 1 : 100) },
    )
  })
})
