import { VirtualClock } from '@millrace/testkit'
import { expect, it } from 'vitest'
import { insight } from '../advise/insight.ts'
import { Cache } from '../cache/cache.ts'

const fails = async (): Promise<never> => {
  throw new Error('source is down')
}

it('explains what loading and invalidation have to do with a key', async () => {
  const clock = new VirtualClock()
  const cache = new Cache<string, number>({
    clock,
    ttl: 100,
    staleIfError: 5_000,
    insight: insight({ advice: false }),
  })
  let finish = (_: number): void => {}
  const load = () => new Promise<number>(resolve => (finish = resolve))

  const answer = cache.getOrLoad('a', load, { tags: ['t'] })
  expect(cache.explain('a')).toEqual({ state: 'absent', reason: 'unknown', loading: true })
  cache.delete('a')
  finish(1)
  await answer
  expect(cache.explain('a')).toEqual({ state: 'absent', reason: 'discarded' })

  await cache.getOrLoad('b', fails).catch(() => {})
  expect(cache.explain('b')).toEqual({ state: 'absent', reason: 'failed' })

  cache.set('c', 3, { tags: ['s', 't'] })
  expect(cache.explain('c')).toEqual({ state: 'fresh', expiresIn: 100 })
  cache.expireTag('t')
  expect(await cache.getOrLoad('c', fails)).toBe(3)
  expect(cache.explain('c')).toMatchObject({ state: 'stale', tag: 't', retryIn: 1_000 })
  cache.deleteTag('s')
  expect(cache.explain('c')).toMatchObject({ state: 'absent', reason: 'invalidated', tag: 's' })
})
