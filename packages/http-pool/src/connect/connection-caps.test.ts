import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { UpstreamServer } from '@millrace/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions } from '../index.ts'

const servers: UpstreamServer[] = []
const pools: HttpPool[] = []

async function upstreams(count: number): Promise<UpstreamServer[]> {
  const started = await Promise.all(Array.from({ length: count }, () => UpstreamServer.start()))
  servers.push(...started)
  return started
}

function makePool(options: HttpPoolOptions): HttpPool {
  const pool = new HttpPool(options)
  pools.push(pool)
  return pool
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map(pool => pool.destroy()))
  await Promise.all(servers.splice(0).map(server => server.kill()))
})

/** Counts this process's client sockets to the servers as Node sees them, apart from what the pool thinks. */
function countSockets(): { peak: number; [Symbol.dispose](): void } {
  let open = 0
  const counts = {
    peak: 0,
    [Symbol.dispose]: () => unsubscribe('net.client.socket', onSocket),
  }
  const onSocket = (message: unknown) => {
    counts.peak = Math.max(counts.peak, ++open)
    ;(message as { socket: Socket }).socket.on('close', () => open--)
  }
  subscribe('net.client.socket', onSocket)
  return counts
}

/** Answers once so many requests are under way at the same time. */
function answerTogether(server: UpstreamServer, count: number): void {
  const together = Promise.withResolvers<void>()
  server.on('*', async () => {
    if (server.stats().active >= count) together.resolve()
    await together.promise
    return { body: '1' }
  })
}

describe('caps', () => {
  test.each([100, 1_000])(
    '%d calls at once over 6 origins with a total of 20 connections',
    async calls => {
      const all = await upstreams(6)
      using sockets = countSockets()
      for (const server of all) server.on('*', { body: 'ok', latency: 1 })
      const pool = makePool({
        totalConnections: 20,
        connectionsPerHost: 20,
        acquireTimeout: Infinity,
      })
      const results = await Promise.all(
        Array.from({ length: calls }, async (_, i) => {
          const { statusCode, body } = await pool.request(all[i % 6]!.url('/'))
          await body.dump()
          return statusCode
        }),
      )
      expect(results.every(status => status === 200)).toBe(true)
      expect(sockets.peak).toBe(20)
      expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, failures: 0 })
      // Every origin had its share without an exchange of connections at every turn.
      expect(pool.stats().created).toBeLessThanOrEqual(60)
    },
  )

  test('connections per host', async () => {
    const [server] = await upstreams(1)
    answerTogether(server!, 3)
    const pool = makePool({ connectionsPerHost: 3 })
    await Promise.all(Array.from({ length: 30 }, () => pool.json(server!.url('/'))))
    expect(server!.stats()).toMatchObject({ accepted: 3, peakActive: 3 })
  })

  test('options of one origin', async () => {
    const [one, other] = await upstreams(2)
    answerTogether(one!, 1)
    answerTogether(other!, 4)
    const pool = makePool({
      connectionsPerHost: 4,
      origins: { [one!.origin]: { connectionsPerHost: 1 } },
    })
    await Promise.all(
      [one!, other!].flatMap(server => Array.from({ length: 8 }, () => pool.json(server.url('/')))),
    )
    expect(one!.stats().accepted).toBe(1)
    expect(other!.stats().accepted).toBe(4)
  })

  test('concurrency per host and in total', async () => {
    const all = await upstreams(2)
    for (const server of all) server.on('*', { latency: 5, body: '1' })
    const pool = makePool({ concurrencyPerHost: 3, totalConcurrency: 4 })
    let peak = 0
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        await pool.json(all[i % 2]!.url('/'))
        peak = Math.max(peak, pool.stats().pending)
      }),
    )
    expect(peak).toBeLessThanOrEqual(4)
    for (const server of all) expect(server.stats().peakActive).toBeLessThanOrEqual(3)
    expect(pool.stats()).toMatchObject({ pending: 0, queued: 0 })
  })
})

describe('idle eviction', () => {
  test('the connection that has been idle for longest makes room', async () => {
    const all = await upstreams(3)
    for (const server of all) server.on('*', { body: '1' })
    const pool = makePool({ totalConnections: 2 })
    const [a, b, c] = all as [UpstreamServer, UpstreamServer, UpstreamServer]
    await pool.json(a.url('/'))
    await pool.json(b.url('/'))
    await pool.json(a.url('/'))
    await pool.json(c.url('/'))
    expect(pool.stats().evicted).toBe(1)
    await expect.poll(() => b.stats().connections).toBe(0)
    expect(a.stats().connections).toBe(1)
    expect(c.stats().connections).toBe(1)
  })

  test('a busy origin gives connections up to one that has none', async () => {
    const all = await upstreams(2)
    const [busy, late] = all as [UpstreamServer, UpstreamServer]
    // However long it takes to connect to the late one: the busy one stays busy meanwhile.
    const served = Promise.withResolvers<void>()
    busy.on('*', async ({ index }) => {
      if (index >= 100) await served.promise
      return { body: '1' }
    })
    late.on('*', { body: '1' })
    const pool = makePool({ totalConnections: 4, connectionsPerHost: 4, acquireTimeout: Infinity })
    const load = Array.from({ length: 200 }, () => pool.json(busy.url('/')))
    await load[0]
    const start = pool.stats().requests
    await pool.json(late.url('/'))
    expect(pool.stats().origins[busy.origin]!.queued).toBeGreaterThan(0)
    served.resolve()
    await Promise.all(load)
    expect(start).toBe(200)
  })
})

describe('queue', () => {
  test('is bounded', async () => {
    const [server] = await upstreams(1)
    server!.on('*', { latency: 20, body: '1' })
    const pool = makePool({ connectionsPerHost: 1, maxQueue: 2 })
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => pool.json(server!.url('/'))),
    )
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ])
    expect((results[4] as PromiseRejectedResult).reason).toMatchObject({
      name: 'PoolQueueFullError',
      code: 'ERR_MILLRACE_POOL_QUEUE_FULL',
      maxQueue: 2,
      message: `2 requests already wait for a connection, refused one to ${server!.origin}`,
    })
  })

  test('serves in order of arrival', async () => {
    const [server] = await upstreams(1)
    server!.on('*', { body: '1' })
    const pool = makePool({ connectionsPerHost: 1 })
    await Promise.all(Array.from({ length: 20 }, (_, i) => pool.json(server!.url(`/${i}`))))
    expect(server!.requests.map(({ url }) => url)).toEqual(
      Array.from({ length: 20 }, (_, i) => `/${i}`),
    )
  })

  test('an acquire timeout ends the wait, and never early', async () => {
    const [server] = await upstreams(1)
    server!.on('*', { fault: 'hang' })
    const pool = makePool({ connectionsPerHost: 1, acquireTimeout: 40, retry: false })
    const holder = pool.request(server!.url('/')).catch(error => error)
    const start = performance.now()
    await expect(pool.request(server!.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_HTTP_ACQUIRE_TIMEOUT',
      phase: 'acquire',
      timeout: 40,
    })
    expect(performance.now() - start).toBeGreaterThanOrEqual(40)
    expect(pool.stats().queued).toBe(0)
    await pool.destroy()
    await holder
  })
})
