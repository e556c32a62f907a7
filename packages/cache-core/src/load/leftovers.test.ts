import { getEventListeners } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { runs } from '@millrace/testkit'
import { expect, it } from 'vitest'
import { Cache } from '../cache/cache.ts'

/** One load of each kind of ending, many times over, under one long-lived signal. */
async function work(
  cache: Cache<string, number>,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const fails = async (): Promise<never> => {
    throw new Error('source is down')
  }
  for (let index = 0; index < count; index++) {
    const key = `key:${index}`
    const options = { signal, tags: [`tag:${index}`], staleIfError: 60_000, softTimeout: 60_000 }
    await cache.getOrLoad(key, async () => index, options)
    cache.expire(key)
    await cache.getOrLoad(key, fails, options)
    await cache.getOrLoad(`${key}:none`, fails, options).catch(() => {})
    const controller = new AbortController()
    const abandoned = cache.getOrLoad(`${key}:abandoned`, () => new Promise(() => {}), {
      signal: controller.signal,
    })
    controller.abort()
    await abandoned.catch(() => {})
    cache.deleteTag(`tag:${index}`)
    await cache.getOrLoadMany([key, `${key}:many`], async keys => keys.map(() => index), options)
  }
}

it('leaves no flight, no listener and no memory behind, however loads end', async () => {
  const cache = new Cache<string, number>({ maxEntries: 100, ttl: 60_000 })
  const { signal } = new AbortController()
  const heap = async (): Promise<number> => {
    await nextTurn()
    globalThis.gc!()
    return process.memoryUsage().heapUsed
  }
  const count = runs(4_000)
  await work(cache, count, signal)
  const before = await heap()
  await work(cache, count, signal)
  const growth = (await heap()) - before
  expect(cache.stats().loading).toBe(0)
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  expect(growth).toBeLessThan(Math.max(500_000, count * 100))
})
