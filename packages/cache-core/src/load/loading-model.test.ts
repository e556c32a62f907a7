import { setImmediate as nextTurn } from 'node:timers/promises'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Cache } from '../cache/cache.ts'

/*
 * Loading against a sequential specification: plain maps, invalidation by looking at everything, no versions, no epochs.
 * After every step both must agree on what is held, which answers have come, and how often the loader was called.
 */

const TTL = 100
const WHILE_REVALIDATE = 40
const IF_ERROR = 90
const keys = ['a', 'ab'] as const
const tagsOf = (key: string): string[] => [...key]

type Answer = { value: number } | { error: string }

interface SpecEntry {
  value: number
  /** When it stops, or stopped, being fresh. */
  until: number
}

interface SpecFlight {
  readonly key: string
  /** Its result is not kept: nothing must be stored, and nobody may join. */
  fenced: boolean
  /** What was at hand when each caller came, and whether it has been deleted since. */
  readonly waiting: { readonly caller: number; fallback: number | undefined }[]
}

class Spec {
  now = 0
  readonly entries = new Map<string, SpecEntry>()
  /** In the order of the loader's calls. */
  readonly flights: (SpecFlight | undefined)[] = []
  readonly answers: (Answer | undefined)[] = []

  getOrLoad(key: string): void {
    const caller = this.answers.push(undefined) - 1
    const entry = this.entries.get(key)
    const age = entry === undefined ? Infinity : this.now - entry.until
    const under = this.flights.find(flight => flight?.key === key && !flight.fenced)
    if (age < WHILE_REVALIDATE) {
      this.answers[caller] = { value: entry!.value }
      if (age >= 0 && under === undefined) this.flights.push({ key, fenced: false, waiting: [] })
      return
    }
    const waiter = { caller, fallback: age < IF_ERROR ? entry!.value : undefined }
    if (under !== undefined) under.waiting.push(waiter)
    else this.flights.push({ key, fenced: false, waiting: [waiter] })
  }

  /** The call that is the `nth` of those in progress, counted round; `undefined` if there is none. */
  inProgress(nth: number): number | undefined {
    const calls = [...this.flights.keys()].filter(call => this.flights[call] !== undefined)
    return calls[nth % calls.length]
  }

  finish(call: number, value: number | undefined): void {
    const flight = this.flights[call]!
    this.flights[call] = undefined
    for (const { caller, fallback } of flight.waiting) {
      const got = value ?? fallback
      this.answers[caller] = got === undefined ? { error: 'source is down' } : { value: got }
    }
    if (value !== undefined && !flight.fenced) this.set(flight.key, value)
  }

  set(key: string, value: number): void {
    this.entries.set(key, { value, until: this.now + TTL })
  }

  invalidate(matches: (key: string) => boolean, hard: boolean): void {
    for (const [key, entry] of this.entries) {
      if (!matches(key)) continue
      if (hard) this.entries.delete(key)
      else entry.until = Math.min(entry.until, this.now)
    }
    for (const flight of this.flights) {
      if (flight === undefined || !matches(flight.key)) continue
      flight.fenced = true
      if (hard) for (const waiter of flight.waiting) waiter.fallback = undefined
    }
  }

  held(key: string): number | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && this.now < entry.until ? entry.value : undefined
  }
}

const key = fc.constantFrom(...keys)
const tag = fc.constantFrom('a', 'a', 'b')
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('load' as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('resolve' as const, 'reject' as const),
      nth: fc.nat(5),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      // 145 after a set a value is too old to be served, but not to stand in for a failure.
      ms: fc.constantFrom(1, 20, 45, 100, 145),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('set' as const, 'delete' as const, 'expire' as const),
      key,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('deleteTag' as const, 'expireTag' as const), tag }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('deleteMatching' as const, 'expireMatching' as const),
      tag,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), expire: fc.boolean() }) },
)

it('agrees with a sequential specification on values, answers and calls of the loader', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async steps => {
      const clock = new VirtualClock()
      const cache = new Cache<string, number>({
        clock,
        ttl: TTL,
        staleWhileRevalidate: WHILE_REVALIDATE,
        staleIfError: IF_ERROR,
        errorBackoff: 0,
        hardTimeout: Infinity,
      })
      const spec = new Spec()
      const calls: { resolve(value: number): void; reject(error: Error): void }[] = []
      const answers: (Answer | undefined)[] = []
      let version = 0

      for (const s of steps) {
        switch (s.do) {
          case 'load': {
            spec.getOrLoad(s.key)
            const caller = answers.push(undefined) - 1
            cache
              .getOrLoad(
                s.key,
                () => new Promise((resolve, reject) => calls.push({ resolve, reject })),
                {
                  tags: tagsOf(s.key),
                },
              )
              .then(
                value => (answers[caller] = { value }),
                error => (answers[caller] = { error: error.message }),
              )
            break
          }
          case 'resolve':
          case 'reject': {
            const call = spec.inProgress(s.nth)
            if (call === undefined) break
            const value = s.do === 'resolve' ? ++version : undefined
            spec.finish(call, value)
            if (value === undefined) calls[call]!.reject(new Error('source is down'))
            else calls[call]!.resolve(value)
            break
          }
          case 'advance':
            spec.now += s.ms
            clock.advance(s.ms)
            break
          case 'set':
            version++
            for (const flight of spec.flights) if (flight?.key === s.key) flight.fenced = true
            spec.set(s.key, version)
            cache.set(s.key, version, { tags: tagsOf(s.key) })
            break
          case 'delete':
          case 'expire':
            spec.invalidate(k => k === s.key, s.do === 'delete')
            cache[s.do](s.key)
            break
          case 'deleteTag':
          case 'expireTag':
            spec.invalidate(k => k.includes(s.tag), s.do === 'deleteTag')
            cache[s.do](s.tag)
            break
          case 'deleteMatching':
          case 'expireMatching':
            spec.invalidate(k => k.startsWith(s.tag), s.do === 'deleteMatching')
            cache[s.do](`${s.tag}*`)
            break
          case 'clear':
            spec.invalidate(() => true, !s.expire)
            cache.clear({ expire: s.expire })
        }
        await nextTurn()
        expect(answers).toEqual(spec.answers)
        expect(calls).toHaveLength(spec.flights.length)
        expect(keys.map(k => cache.peek(k))).toEqual(keys.map(k => spec.held(k)))
      }
      for (const call of calls) call.resolve(0)
      await nextTurn()
      expect(cache.stats().loading).toBe(0)
    }),
    { numRuns: runs(400) },
  )
})
