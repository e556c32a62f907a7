import { MemoryStore } from '@millrace/cache-core/memory'
import { expect, test } from 'vitest'
import { ForgivingStore } from './forgiving-store.ts'

test('passes through what works', async () => {
  const errors: Error[] = []
  const store = new ForgivingStore(new MemoryStore<number>(), error => errors.push(error))
  expect(await store.set('a', 1)).toBe(true)
  expect(await store.setMany([{ key: 'b', value: 2 }])).toEqual([true])
  expect((await store.get('a'))?.value).toBe(1)
  expect((await store.getMany(['b', 'c'])).map(entry => entry?.value)).toEqual([2, undefined])
  expect(store.stats()).toMatchObject({ hits: 2, misses: 1, writes: 2 })
  expect(errors).toEqual([])
})

test('failures are misses, and only the first is reported', async () => {
  const errors: Error[] = []
  const closed = new MemoryStore<number>()
  await closed.close()
  const store = new ForgivingStore(closed, error => errors.push(error))
  expect(await store.get('a')).toBeUndefined()
  expect(await store.getMany(['a', 'b'])).toEqual([undefined, undefined])
  expect(await store.set('a', 1)).toBe(false)
  expect(await store.setMany([{ key: 'a', value: 1 }])).toEqual([false])
  expect(errors.map(error => error.message)).toEqual(['The store is closed'])
})
