import { AsyncLocalStorage } from 'node:async_hooks'
import { channel } from 'node:diagnostics_channel'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Cache } from '../cache/cache.ts'

const start = channel('millrace:cache:load:start')
const end = channel('millrace:cache:load:end')
let seen: [string, object][]
const onStart = (message: unknown): void => void seen.push(['start', message as object])
/** Not of a load that began before the test did, as those of other files of this process may have. */
const onEnd = (message: unknown): void => {
  if (seen.some(([, begun]) => begun === message)) seen.push(['end', { ...(message as object) }])
}

beforeEach(() => {
  seen = []
  start.subscribe(onStart)
  end.subscribe(onEnd)
})

afterEach(() => {
  start.unsubscribe(onStart)
  end.unsubscribe(onEnd)
})

it('tells of the start and the end of each load, and of its failure', async () => {
  const cache = new Cache<string, number>()
  await cache.getOrLoad('a', async () => 1)
  await cache.getOrLoad('a', async () => 1)
  const error = new Error('source is down')
  const failing = () => {
    throw error
  }
  await cache.getOrLoad('b', failing).catch(() => {})
  await cache.getOrLoadMany(['a', 'c', 'd'], keys => keys.map(() => 1))
  expect(seen).toEqual([
    ['start', { keys: ['a'], awaited: true }],
    ['end', { keys: ['a'], awaited: true }],
    ['start', { keys: ['b'], awaited: true, error }],
    ['end', { keys: ['b'], awaited: true, error }],
    ['start', { keys: ['c', 'd'], awaited: true }],
    ['end', { keys: ['c', 'd'], awaited: true }],
  ])
})

it('tells a refresh in the background from a load that callers wait for', async () => {
  const cache = new Cache<string, number>({ staleWhileRevalidate: 60_000 })
  cache.set('a', 1)
  cache.expire('a')
  expect(await cache.getOrLoad('a', () => 2)).toBe(1)
  expect(seen[0]).toEqual(['start', { keys: ['a'], awaited: false }])
})

it('runs the loader in the context a subscriber binds, so that its work becomes a child', async () => {
  const span = new AsyncLocalStorage<string>()
  start.bindStore(span, () => 'load')
  const cache = new Cache<string, string>()
  const load = async (): Promise<string> => {
    await null
    return span.getStore() ?? 'none'
  }
  expect(await cache.getOrLoad('a', load)).toBe('load')
  start.unbindStore(span)
  expect(span.getStore()).toBeUndefined()
})
