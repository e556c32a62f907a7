import { MemoryStore } from '@millrace/cache-core/memory'
import { Semaphore } from '@millrace/rate-limit'
import { FaultProxy, runs, seededRandom, UpstreamServer } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { type CachedResponses, HttpPool } from '../index.ts'

// Everything at once: whatever happens to a call, all that it held comes back, and every call ends. In real time, as
// sockets, timers and aborts have to meet in orders that nobody thought of.
test.each([1, 2, 3])(
  'after a storm of faults, aborts and deadlines all counts are zero (seed %d)',
  async seed => {
    const random = seededRandom(seed)
    const server = await UpstreamServer.start()
    const proxy = await FaultProxy.start({ target: server.port, seed })
    server.on('/ok', { body: '{"ok":true}' })
    server.on('/slow', () => ({ body: '{"ok":true}', latency: random() * 60 }))
    server.on('/chunks', { body: '{"ok":true}', chunkSize: 1, chunkDelay: 2 })
    server.on('/large', { body: Buffer.alloc(300_000) })
    server.on('/503', ({ index }) => (index % 2 === 0 ? 503 : { body: '{"ok":true}' }))
    server.on('/cut', { body: '{"ok":true}', resetAfter: 4 })
    server.on('/moved', { status: 302, headers: { location: '/ok' } })
    server.on('/checked', { body: '{"ok":true}', etag: 'v', cacheControl: 'max-age=0' })
    const limiter = new Semaphore({ permits: 6 })
    const pool = new HttpPool({
      connectionsPerHost: 5,
      totalConnections: 8,
      maxQueue: 40,
      acquireTimeout: 50,
      headersTimeout: 40,
      bodyTimeout: 40,
      totalTimeout: 200,
      retry: { baseDelay: 5 },
      breaker: { cooldown: 20 },
      hedge: { delay: 10, extra: 0.3 },
      limiter,
      coalesce: true,
      cache: { store: new MemoryStore<CachedResponses>() },
      decompress: true,
    })
    const origins = [server.origin, `http://127.0.0.1:${proxy.port}`]
    const paths = ['/ok', '/slow', '/chunks', '/large', '/503', '/cut', '/moved', '/checked']
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!

    const call = async (): Promise<void> => {
      const controller = new AbortController()
      if (random() < 0.3) setTimeout(() => controller.abort(), random() * 40)
      const url = pick(origins) + pick(paths) + (random() < 0.5 ? `?n=${random()}` : '')
      const { signal } = controller
      if (random() < 0.4) {
        await pool.json(url, { signal })
        return
      }
      const { body } = await pool.request(url, { signal })
      if (random() < 0.1) body.destroy()
      else if (random() < 0.5) await body.text()
      else for await (const _ of body) await new Promise(setImmediate)
    }
    const calls: Promise<unknown>[] = []
    let failures = 0
    for (let i = 0; i < Math.max(100, runs(200)); i++) {
      calls.push(call().catch(() => failures++))
      if (i % 50 === 25) proxy.cut()
      if (i % 100 === 60) proxy.stall('down')
      if (i % 100 === 90) await proxy.heal()
      if (i % 5 === 0) await new Promise(resolve => setTimeout(resolve, random() * 8))
    }
    await Promise.all(calls)
    // How many fail is chance, and the machine's load; that many do is what makes it a storm.
    expect(failures).toBeGreaterThan(calls.length / 20)
    const idle = { pending: 0, queued: 0, deadlines: 0 }
    await expect.poll(() => pool.stats()).toMatchObject(idle)
    expect(limiter.stats()).toMatchObject({ active: 0, waiting: 0 })
    await pool.close()
    expect(pool.stats()).toMatchObject({ ...idle, connections: 0, open: 0 })
    await proxy.stop()
    await server.kill()
  },
)
