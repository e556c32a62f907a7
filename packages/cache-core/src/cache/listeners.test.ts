import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ListenerError } from '../errors.ts'
import type { RemovalReason } from '../kernel/entry.ts'
import { Cache } from './cache.ts'

/** What the process was warned of. */
const warnings: Error[] = []
const warned = (warning: Error): void => {
  if (warning instanceof ListenerError) warnings.push(warning)
}

beforeEach(() => {
  warnings.length = 0
  process.on('warning', warned)
})

afterEach(() => {
  process.off('warning', warned)
})

/** A cache whose listener fails for each key that begins with an x, and the keys that it was told of. */
function failing(maxEntries?: number): { cache: Cache<string, number>; told: string[] } {
  const told: string[] = []
  const onRemove = (key: string, _value: number, _reason: RemovalReason): void => {
    told.push(key)
    if (key.startsWith('x')) throw new RangeError(`cannot close ${key}`)
  }
  return { cache: new Cache<string, number>({ maxEntries, onRemove }), told }
}

test.each<[string, (cache: Cache<string, number>) => unknown]>([
  ['resize', cache => cache.resize({ maxEntries: 1 })],
  ['clear', cache => cache.clear()],
  ['deleteMatching', cache => cache.deleteMatching('*')],
])('%s tells of every value, though the listener fails for some', async (_verb, remove) => {
  const { cache, told } = failing(100)
  const keys = Array.from({ length: 20 }, (_, i) => (i % 7 === 0 ? `x${i}` : `k${i}`))
  for (const key of keys) cache.set(key, 1)
  remove(cache)
  expect(told.length).toBe(20 - cache.size)
  cache.set('unrelated', 1)
  expect(cache.get('unrelated')).toBe(1)
  const failures = told.filter(key => key.startsWith('x'))
  await nextTurn()
  expect(warnings.map(({ cause }) => (cause as Error).message)).toEqual(
    failures.map(key => `cannot close ${key}`),
  )
})

test('a failure is a warning of the process without key or value, and its cause what was thrown', async () => {
  const { cache } = failing(1)
  cache.set('x-secret', 1).set('b', 2)
  expect([...cache]).toEqual([['b', 2]])
  await nextTurn()
  expect(warnings).toEqual([expect.any(ListenerError)])
  expect(warnings[0]).toMatchObject({
    code: 'ERR_MILLRACE_LISTENER',
    listener: 'onRemove',
    message: '`onRemove` of a cache threw',
    cause: new RangeError('cannot close x-secret'),
  })
})

test('a listener that rejects is a warning, too', async () => {
  const onRemove = async (key: string): Promise<void> => {
    await nextTurn()
    throw new RangeError(`cannot close ${key}`)
  }
  const cache = new Cache<string, number>({ maxEntries: 1, onRemove })
  cache.set('a', 1).set('b', 2).delete('b')
  await nextTurn()
  await nextTurn()
  expect(warnings).toMatchObject([
    { listener: 'onRemove', cause: { message: 'cannot close a' } },
    { listener: 'onRemove', cause: { message: 'cannot close b' } },
  ])
})

test('a listener that fails does not keep a set from winning over a load', async () => {
  const { cache } = failing(1)
  const { promise, resolve } = Promise.withResolvers<number>()
  const load = cache.getOrLoad('b', () => promise)
  cache.set('x', 1)
  cache.set('b', 2)
  resolve(1)
  expect(await load).toBe(1)
  expect(cache.get('b')).toBe(2)
})

test('what a listener removes is told before its own verb returns, and each value once', () => {
  const told: string[] = []
  const cache: Cache<string, number> = new Cache<string, number>({
    onRemove: key => {
      told.push(key)
      cache.delete(`${key}'`)
      if (key === 'a') throw new Error('of a')
    },
  })
  for (const key of ['a', "a'", 'b', "b'"]) cache.set(key, 1)
  cache.deleteMatching('?')
  expect(told.toSorted()).toEqual(['a', "a'", 'b', "b'"])
  expect(cache.size).toBe(0)
})
