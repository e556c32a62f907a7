import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../store/contract/store.ts'
import { MemoryStore } from '../../store/memory/memory-store.ts'
import { TieredCache } from '../tiered-cache.ts'
import { RecoveryQueue } from './recovery-queue.ts'

/** How a call that changes something ends: takes effect and says so, fails before or after that, or says nothing, ever or in time. */
interface Fate {
  readonly how: 'ok' | 'fails' | 'fails after it took effect' | 'hangs' | 'lands late'
  /** ms until it answers. */
  readonly after: number
}

const OK: Fate = { how: 'ok', after: 0 }
const TIMEOUT = 100

let clock: VirtualClock
let memory: MemoryStore<number>
/** Of the calls to come; then all are well. */
let fates: Fate[]
let cache: TieredCache<number>

beforeEach(() => {
  clock = new VirtualClock(1_000_000)
  fates = []
  open()
})

function open(): void {
  memory = new MemoryStore({ clock })
  const options = { store: fateful(memory), clock, storeTimeout: TIMEOUT, breaker: false } as const
  cache = new TieredCache(options)
}

const CHANGES = ['set', 'setMany', 'delete', 'deleteMany', 'expire', 'deleteTag', 'clear']

function fateful(store: Store<number>): Store<number> {
  const pass = (ms: number) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    clock.setTimer(resolve, ms)
    return promise
  }
  return new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      if (!CHANGES.includes(String(name))) return method.bind(target)
      return async (...args: unknown[]) => {
        const { how, after } = fates.shift() ?? OK
        if (how === 'hangs') return new Promise(() => {})
        if (how === 'lands late') await pass(TIMEOUT + after)
        const answer = how === 'fails' ? undefined : method.apply(target, args)
        if (how !== 'lands late') await pass(after)
        if (how.startsWith('fails')) throw new Error('no connection')
        return answer
      }
    },
  })
}

/** What became of a call: whether it succeeded. Starts it now. */
function begin(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    answer => answer !== false,
    () => false,
  )
}

describe('what failed is repeated, but', () => {
  test('not over a newer write that is under way', async () => {
    fates = [
      { how: 'fails', after: 0 },
      { how: 'ok', after: 2_500 },
    ]
    const patient = new TieredCache({ store: fateful(memory), clock, storeTimeout: 5_000 })
    const older = begin(patient.delete('k'))
    await clock.advanceAsync(1)
    expect(await older).toBe(false)
    const newer = begin(patient.set('k', 2))
    await clock.advanceAsync(2_000)
    expect(patient.stats()).toMatchObject({ pending: 1, repeated: 0 })
    await clock.advanceAsync(2_000)
    expect(await newer).toBe(true)
    expect(patient.stats()).toMatchObject({ pending: 0, repeated: 0 })
    expect((await memory.get('k'))?.value).toBe(2)
  })

  test('not when it fails after a newer write succeeded', async () => {
    fates = [{ how: 'fails', after: 50 }, OK]
    const older = begin(cache.delete('k'))
    expect(await settled(begin(cache.set('k', 2)))).toBe(true)
    expect(await settled(older)).toBe(false)
    await clock.advanceAsync(5_000)
    expect((await memory.get('k'))?.value).toBe(2)
  })

  test('in any case where it began after the write that succeeds', async () => {
    fates = [
      { how: 'ok', after: 50 },
      { how: 'fails', after: 0 },
    ]
    const older = begin(cache.set('k', 1))
    expect(await settled(begin(cache.delete('k')))).toBe(false)
    await settled(older)
    expect(await cache.get('k')).toBe(undefined)
    await clock.advanceAsync(5_000)
    expect(await memory.get('k')).toBe(undefined)
  })

  test('of what failed while everything was being deleted, nothing is forgotten', async () => {
    fates = [OK, { how: 'ok', after: 50 }, OK, { how: 'fails', after: 0 }]
    await settled(begin(cache.set('k', 1)))
    const clear = begin(cache.clear())
    await settled(begin(cache.set('k', 2)))
    expect(await settled(begin(cache.delete('k')))).toBe(false)
    expect(await settled(clear)).toBe(true)
    expect(await cache.get('k')).toBe(undefined)
    await clock.advanceAsync(5_000)
    expect(await memory.get('k')).toBe(undefined)
  })

  test('a delete by name or by tag that succeeds makes good an earlier one, an expire does not', async () => {
    for (const change of ['delete', 'deleteTag', 'clear'] as const) {
      fates = [{ how: 'fails', after: 0 }]
      const act = () => (change === 'clear' ? cache.clear() : cache[change]('k'))
      expect(await settled(begin(act()))).toBe(false)
      expect(cache.stats().pending).toBe(1)
      await settled(begin(change === 'delete' ? cache.expire('k') : cache.expireTag('k')))
      expect(cache.stats().pending).toBe(1)
      await settled(begin(act()))
      expect(cache.stats()).toMatchObject({ pending: 0, repeated: 0 })
    }
  })
})

test('what was read of a write that had been given up goes when its answer comes', async () => {
  const { promise, resolve: answer } = Promise.withResolvers<boolean>()
  const store = Object.assign(new MemoryStore<number>({ clock }), { set: () => promise })
  const slow = new TieredCache<number>({ store, clock, storeTimeout: TIMEOUT })
  expect(await settled(begin(slow.set('k', 1)))).toBe(false)
  await settled(begin(slow.delete('k')))
  // It lands, and is read before anybody knows.
  await store.setMany([{ key: 'k', value: 1 }])
  expect(await slow.get('k')).toBe(1)
  answer(true)
  await clock.advanceAsync(1_000)
  expect([await slow.get('k'), await store.get('k')]).toEqual([undefined, undefined])
})

async function settled(outcome: Promise<boolean>): Promise<boolean> {
  let done = false
  void outcome.then(() => {
    done = true
  })
  while (!done) await clock.advanceAsync(1)
  return outcome
}

test('of random calls on a failing store, the newest that succeeded is what stays, in every tier', async () => {
  const fate = fc.record<Fate>({
    how: fc.constantFrom('ok', 'ok', 'fails', 'fails after it took effect', 'hangs', 'lands late'),
    after: fc.integer({ min: 0, max: TIMEOUT - 1 }),
  })
  const call = fc.record({
    verb: fc.constantFrom('set', 'set', 'setMany', 'delete', 'deleteMany', 'wait'),
    fate,
    pause: fc.constantFrom(0, 0, 10, 60, TIMEOUT, 900, 2_000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 12 }), async calls => {
      open()
      const made: { how: Fate['how']; value: number | undefined; outcome: Promise<boolean> }[] = []
      for (const [version, { verb, fate, pause }] of calls.entries()) {
        if (verb !== 'wait') {
          fates = [fate]
          const value = verb.startsWith('set') ? version : undefined
          const outcome = begin(
            verb === 'set'
              ? cache.set('k', version)
              : verb === 'setMany'
                ? cache.setMany([['k', version]]).then(([kept]) => kept)
                : verb === 'delete'
                  ? cache.delete('k').then(() => true)
                  : cache.deleteMany(['k']),
          )
          made.push({ how: fate.how, value, outcome })
          fates = []
        }
        await clock.advanceAsync(pause)
      }
      await clock.advanceAsync(10_000)
      const last = made.at(-1)
      const expected = last !== undefined && (await last.outcome) ? last.value : undefined
      const final = (await memory.get('k'))?.value
      // What may have landed behind it is removed for safety, and it with that.
      const unsure = made.some(({ how }) => how === 'hangs' || how === 'lands late')
      if (!unsure || final !== undefined) expect(final).toBe(expected)
      const held = await cache.get('k')
      if (held !== undefined) expect(held).toBe(expected)
      expect(cache.stats().pending).toBe(0)
      await cache.close()
      expect(clock.pending).toBe(0)
    }),
    { numRuns: runs(150) },
  )
})

test('a queue says what is due, keeps the newest of a name, and a delete rather than an expire', () => {
  const queue = new RecoveryQueue()
  const first = queue.begin(['k'])
  queue.add([{ verb: 'delete', target: 'key', name: 'k' }], first)
  const [waiting] = queue.list()
  expect(queue.isDue(waiting!)).toBe(false)
  queue.end(['k'])
  expect(queue.isDue(waiting!)).toBe(true)
  queue.add([{ verb: 'expire', target: 'key', name: 'k' }])
  expect(queue.isDue(waiting!)).toBe(false)
  expect(queue.list()).toMatchObject([{ verb: 'delete', name: 'k' }])
  queue.overtake({ verb: 'delete', target: 'key', name: 'k' }, first)
  expect(queue.size).toBe(1)
  queue.overtake({ verb: 'expire', target: 'all', name: '' }, queue.begin([]))
  expect(queue.size).toBe(1)
  queue.overtake({ verb: 'delete', target: 'all', name: '' }, queue.begin([]))
  expect(queue.size).toBe(0)
})

test('what is made good while a read is under way counts for what that read brings, and for no later one', () => {
  const queue = new RecoveryQueue()
  const make = (target: 'key' | 'tag' | 'pattern', name: string, verb: 'delete' | 'expire') => {
    queue.add([{ verb, target, name }])
    return queue.list().at(-1)!
  }
  expect(queue.beginRead()).toBeUndefined()
  const [a, b, c] = [
    make('key', 'a', 'delete'),
    make('tag', 'b', 'expire'),
    make('key', 'c', 'delete'),
  ]
  const read = queue.beginRead()
  queue.remove(a)
  const later = queue.beginRead()
  queue.remove(b)
  expect(queue.verdict('a', [], read)).toBe('delete')
  expect(queue.verdict('a', [], later)).toBeUndefined()
  expect(queue.verdict('x', ['b'], later)).toBe('expire')
  expect(queue.verdict('x', ['b'])).toBeUndefined()
  queue.remove(c)
  expect(queue.verdict('c', [], read)).toBe('delete')
  expect(queue.verdict('c', [])).toBeUndefined()
  queue.endRead(read)
  expect(queue.verdict('c', [], later)).toBe('delete')
  queue.remove(make('pattern', 'd*', 'expire'))
  // Patterns count for everything.
  expect(queue.verdict('x', [], later)).toBe('delete')
  queue.endRead(later)
  make('key', 'e', 'delete')
  const next = queue.beginRead()
  expect(queue.verdict('c', [], next)).toBeUndefined()
  expect(queue.verdict('e', [], next)).toBe('delete')
})
