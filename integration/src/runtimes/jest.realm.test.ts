import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { Cache, memoize } from '@millrace/cache-core'
import { MemoryStore } from '@millrace/cache-core/memory'
import { storeContract } from '@millrace/cache-core/store-contract'
import { TieredCache } from '@millrace/cache-core/tiered'
import { HttpPool } from '@millrace/http-pool'
import { AdaptiveSemaphore } from '@millrace/rate-limit/adaptive'
import { nextWarning, VirtualClock } from '@millrace/testkit'
import { MemoryExporter, Tracer } from '@millrace/tracer'
import { describe, expect, test } from 'vitest'

/** Node's own: no instance of the `Error` that this file, and all that it imports, has. */
const failure = await readFile('/absent').catch(error => error)

test('these tests run in a realm of their own', () => {
  expect(failure).toMatchObject({ code: 'ENOENT' })
  expect(failure instanceof Error).toBe(false)
  expect(Object.getPrototypeOf(structuredClone({}))).not.toBe(Object.prototype)
})

test('a listener that throws is a warning, and nothing else', async () => {
  const warned = nextWarning(({ name }) => name === 'ListenerError')
  const cache = new Cache<string, number>({
    maxEntries: 1,
    onRemove: () => readFileSync('/absent'),
  })
  cache.set('a', 1)
  cache.set('b', 2)
  expect(cache.size).toBe(1)
  expect(await warned).toMatchObject({
    listener: 'onRemove',
    cause: { code: 'ENOENT' },
  })
})

test.each([
  ['Cache', () => new Cache<string, string>()],
  ['TieredCache', () => new TieredCache<string>({ store: new MemoryStore<string>() })],
])('what a batch of %s could not read is no value', async (_, make) => {
  const cache = make()
  const failed = await cache.getOrLoadMany(['a'], () => [failure]).catch(error => error)
  expect(failed).toMatchObject({ name: 'PartialLoadError', errors: new Map([['a', failure]]) })
})

test('arguments from elsewhere are those made here', async () => {
  let calls = 0
  const sum = memoize((each: { numbers: number[] }) => {
    calls++
    return each.numbers.length
  })
  expect([sum({ numbers: [1, 2] }), sum(structuredClone({ numbers: [1, 2] }))]).toEqual([2, 2])
  expect(calls).toBe(1)
})

test('the platform’s fetch gives the platform’s response, and refuses a header without quoting it', async () => {
  const server = createServer((_, response) => response.end('body'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  await using pool = new HttpPool()
  const response = await pool.fetch(url)
  expect(response).toBeInstanceOf(Response)
  expect(await response.text()).toBe('body')
  const headers = { a: 'secret\nsecret' }
  const error = await pool.fetch(url, { headers }).catch(reason => reason)
  expect(error).toMatchObject({
    name: 'TypeError',
    cause: { code: 'ERR_MILLRACE_INVALID_REQUEST' },
  })
  expect(inspect(error)).not.toContain('secret')
  server.close()
})

test('a call that ran out of time by its signal lowers an adaptive limit', async () => {
  const semaphore = new AdaptiveSemaphore({ initial: 10 })
  const signal = AbortSignal.timeout(1)
  const late = () =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  await expect(semaphore.run(late)).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(semaphore.stats()).toMatchObject({ dropped: 1 })
})

test('a span records what an error from elsewhere says', async () => {
  const exporter = new MemoryExporter()
  await using tracer = new Tracer({ service: 'jest', exporter })
  expect(() => tracer.span('read', () => readFileSync('/absent'))).toThrow()
  await tracer.flush()
  expect(exporter.spans).toMatchObject([
    {
      events: [
        { attributes: { 'exception.message': failure.message, 'exception.type': 'ENOENT' } },
      ],
    },
  ])
})

storeContract('MemoryStore', {
  runner: { describe, test },
  modelRuns: 5,
  open: async () => {
    const clock = new VirtualClock(1_000_000)
    return {
      store: new MemoryStore({ clock }),
      advance: ms => clock.advance(ms),
      remove: async () => undefined,
    }
  },
})
