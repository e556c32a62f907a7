import { VirtualClock } from '@millrace/testkit'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Store, StoreKeysOptions } from '../../store/contract/store.ts'
import { MemoryStore } from '../../store/memory/memory-store.ts'
import { TieredCache } from '../tiered-cache.ts'
import { LayeredStore } from './layered-store.ts'

const NEAR_TIMEOUT = 250
const COOLDOWN = 1_000

/** What may be wrong with `near`: the last but one does in the end what it was told, the last one did it and cannot say so. */
const TROUBLES = ['throws', 'rejects', 'hangs', 'lands late', 'takes effect, then rejects'] as const
type Trouble = (typeof TROUBLES)[number] | 'none'

/** Every verb that changes something, with what `far` answers and has of the key afterwards. */
const CHANGES: {
  name: string
  act: (store: LayeredStore<string>) => Promise<unknown>
  answer: unknown
  left: string | undefined
}[] = [
  { name: 'set', act: s => s.set('k', 'new'), answer: true, left: 'new' },
  {
    name: 'setMany',
    act: s => s.setMany([{ key: 'k', value: 'new' }]),
    answer: [true],
    left: 'new',
  },
  { name: 'delete', act: s => s.delete('k'), answer: true, left: undefined },
  { name: 'deleteMany', act: s => s.deleteMany(['k', 'l']), answer: 1, left: undefined },
  { name: 'expire', act: s => s.expire('k'), answer: true, left: undefined },
  { name: 'expireMany', act: s => s.expireMany(['k', 'l']), answer: 1, left: undefined },
  { name: 'deleteTag', act: s => s.deleteTag('t'), answer: undefined, left: undefined },
  { name: 'expireTag', act: s => s.expireTag('t'), answer: undefined, left: undefined },
  { name: 'clear', act: s => s.clear(), answer: undefined, left: undefined },
  {
    name: 'clear to stale',
    act: s => s.clear({ expire: true }),
    answer: undefined,
    left: undefined,
  },
]

let clock: VirtualClock
let trouble: Trouble
let inner: MemoryStore<string>
let far: MemoryStore<string>
let layers: LayeredStore<string>
beforeEach(async () => {
  clock = new VirtualClock(1_000_000)
  trouble = 'none'
  inner = new MemoryStore({ clock })
  far = new MemoryStore({ clock })
  const near: Store<string> = new Proxy(inner, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      if (name === 'stats') return method.bind(target)
      if (name === 'keys') return troubledKeys
      return (...args: unknown[]) => {
        if (trouble === 'throws') throw new Error('near is down')
        return answered(trouble, () => method.apply(target, args))
      }
    },
  })
  layers = new LayeredStore({ near, far, nearTimeout: NEAR_TIMEOUT, clock })
  await far.set('k', 'old', { tags: ['t'], retention: 60_000 })
  expect((await layers.get('k'))?.value).toBe('old')
  expect((await inner.get('k'))?.value).toBe('old')
})

async function* troubledKeys(options?: StoreKeysOptions): AsyncGenerator<string> {
  if (trouble === 'throws') throw new Error('near is down')
  await answered(trouble, () => undefined)
  yield* inner.keys(options)
}

async function keysOf(store: LayeredStore<string>): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.keys()) keys.push(key)
  return keys.sort()
}

async function answered(how: Trouble, act: () => unknown): Promise<unknown> {
  if (how === 'hangs') return new Promise(() => {})
  if (how === 'rejects') throw new Error('near is down')
  if (how === 'lands late') await passed(2 * NEAR_TIMEOUT)
  const answer: unknown = await act()
  if (how === 'takes effect, then rejects') throw new Error('near is down')
  return answer
}

function passed(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  clock.setTimer(resolve, ms)
  return promise
}

/** The answer of a call for which `near` is waited for, by so many calls of it at most. */
async function ended<T>(answer: Promise<T>, calls = 1): Promise<T> {
  let over = false
  const settled = answer.finally(() => {
    over = true
  })
  settled.catch(() => {})
  await clock.advanceAsync(0)
  for (let i = 0; i < calls && !over; i++) await clock.advanceAsync(NEAR_TIMEOUT)
  expect(over).toBe(true)
  return settled
}

async function freshValue(store: LayeredStore<string>): Promise<string | undefined> {
  const entry = await ended(store.get('k'), 3)
  return entry !== undefined && entry.expires > clock.now() ? entry.value : undefined
}

describe.each(TROUBLES)('near that %s', kind => {
  test.each(CHANGES)('fails no $name that far took, and serves nothing outdated', async change => {
    trouble = kind
    expect(await ended(change.act(layers))).toEqual(change.answer)
    expect(layers.stats().nearFailures).toBe(1)
    expect(layers.stats().pending).toBeGreaterThan(0)
    expect(await freshValue(layers)).toBe(change.left)
    // It answers again, before it was told.
    trouble = 'none'
    expect(await freshValue(layers)).toBe(change.left)
    await clock.advanceAsync(2 * COOLDOWN)
    expect(layers.stats().pending).toBe(0)
    expect(await freshValue(layers)).toBe(change.left)
    const kept = await inner.get('k')
    expect(kept === undefined || kept.expires === 0 || kept.value === change.left).toBe(true)
    await layers.close()
    expect(clock.pending).toBe(0)
  })

  test('costs reads and loads nothing but time', async () => {
    trouble = kind
    expect(await freshValue(layers)).toBe('old')
    const fence = await ended(layers.fence())
    expect(await ended(layers.set('l', 'loaded', { fence }))).toBe(true)
    expect((await ended(layers.get('l'), 3))?.value).toBe('loaded')
    expect(await ended(keysOf(layers), 3)).toEqual(['k', 'l'])
  })

  test('has nothing left of what a pattern could not reach in it', async () => {
    await far.delete('k')
    trouble = kind
    expect(await ended(keysOf(layers), 3)).toEqual([])
    trouble = 'none'
    expect(await freshValue(layers)).toBe(undefined)
    await clock.advanceAsync(2 * COOLDOWN)
    expect(await inner.get('k')).toBe(undefined)
    await layers.close()
    expect(clock.pending).toBe(0)
  })

  test.each(['set', 'delete', 'expire', 'deleteTag', 'expireTag', 'clear'] as const)(
    'fails no %s of a TieredCache, which has the value that the others have',
    async verb => {
      const cache = new TieredCache<string>({ store: layers, clock })
      trouble = kind
      const calls = {
        set: () => cache.set('k', 'new'),
        delete: () => cache.delete('k'),
        expire: () => cache.expire('k'),
        deleteTag: () => cache.deleteTag('t'),
        expireTag: () => cache.expireTag('t'),
        clear: () => cache.clear(),
      }
      await ended<unknown>(calls[verb]())
      const left = verb === 'set' ? 'new' : undefined
      expect(await ended(cache.get('k'), 3)).toBe(left)
      expect(cache.stats()).toMatchObject({ pending: 0, storeFailures: 0 })
      const other = new LayeredStore<string>({ near: new MemoryStore({ clock }), far, clock })
      expect(await freshValue(other)).toBe(left)
    },
  )
})

test('near that fails again and again is left alone, and told when it is back', async () => {
  trouble = 'hangs'
  for (let i = 0; i < 5; i++) await ended(layers.set(`n${i}`, 'v'))
  const before = clock.now()
  expect(await layers.set('k', 'new')).toBe(true)
  expect(clock.now()).toBe(before)
  expect((await layers.get('k'))?.value).toBe('new')
  trouble = 'none'
  await clock.advanceAsync(3 * COOLDOWN)
  expect(layers.stats()).toMatchObject({ pending: 0, farFailures: 0 })
  expect((await layers.get('k'))?.value).toBe('new')
})

test('a pattern reaches what near alone has', async () => {
  await far.delete('k')
  await far.set('far', '1')
  expect(await keysOf(layers)).toEqual(['far', 'k'])
  const cache = new TieredCache<string>({ store: layers, clock })
  await cache.deleteMatching('k*')
  expect(await cache.get('k')).toBe(undefined)
  expect(await inner.get('k')).toBe(undefined)
  await cache.close()
})
