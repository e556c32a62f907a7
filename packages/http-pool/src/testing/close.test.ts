import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { Readable } from 'node:stream'
import { MemoryStore } from '@millrace/cache-core/memory'
import { FaultProxy, UpstreamServer, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CachedResponses, HttpPool, HttpPoolOptions } from '../index.ts'
import { H2Server } from './h2-server.fixture.ts'
import { server, useUpstream } from './upstream.fixture.ts'

// A pool that ends while a call is in one of its phases: what runs comes to its end, or to a typed one at once; then nothing is left.

const makePool = useUpstream({ connectionsPerHost: 1 })

/** A call that has come to a phase and stays there. */
interface Held {
  readonly pool: HttpPool
  readonly calls: readonly Promise<unknown>[]
  /** Lets the call end. */
  proceed(): unknown
}

let ends: (() => unknown)[]
let handles: readonly string[]

/** Sockets and look-ups that would keep the process alive; of the servers here as well. */
const openHandles = () => process.getActiveResourcesInfo().filter(each => each.endsWith('Wrap'))

beforeEach(() => {
  ends = []
  handles = openHandles()
})

afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** Answers once it is let to. */
function gate(): { opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  ends.push(resolve)
  return { opened: promise, open: resolve }
}

/** Holds the answers of a path back. */
function holdBack(path = '/', headers: Record<string, string> = {}): () => void {
  const { opened, open } = gate()
  server.on(path, async () => {
    await opened
    return { body: '"ok"', headers }
  })
  return open
}

const arrived = (requests: number) =>
  expect.poll(() => server.requests.length, { interval: 1 }).toBe(requests)

async function behind(port: number): Promise<FaultProxy> {
  const proxy = await FaultProxy.start({ target: port })
  ends.push(() => proxy.stop())
  return proxy
}

async function listening(each: Server): Promise<number> {
  ends.push(() => each.close())
  await once(each.listen(0, '127.0.0.1'), 'listening')
  return (each.address() as AddressInfo).port
}

const stale = { etag: '"v"', 'cache-control': 'max-age=0' }

/** Keeps an answer that has to be validated, and holds the validation back. */
async function validating(options: HttpPoolOptions): Promise<Held> {
  server.on('/', { body: '"ok"', headers: stale })
  const pool = makePool(options)
  await pool.json(server.url('/'))
  await new Promise(setImmediate)
  const proceed = holdBack('/', stale)
  const calls = [pool.json(server.url('/'))]
  await arrived(2)
  return { pool, calls, proceed }
}

const phases: Record<string, () => Promise<Held>> = {
  'the lookup of its name': async () => {
    let found: (() => void) | undefined
    const pool = makePool({
      lookup: (_name, _options, callback) => {
        found = () => callback(null, [{ address: '127.0.0.1', family: 4 }])
      },
    })
    server.on('/', { body: '"ok"' })
    const calls = [pool.json(`http://name.example:${server.port}/`)]
    await expect.poll(() => found !== undefined, { interval: 1 }).toBe(true)
    return { pool, calls, proceed: () => found!() }
  },
  'the TLS handshake': async () => {
    const secure = await UpstreamServer.start({ tls: true })
    ends.push(() => secure.kill())
    secure.on('/', { body: '"ok"' })
    const proxy = await behind(secure.port)
    proxy.stall('down')
    const pool = makePool({ tls: { ca: secure.certificate! }, allowH2: true })
    const calls = [pool.json(`https://127.0.0.1:${proxy.port}/`)]
    await expect.poll(() => proxy.stats().bytesUp, { interval: 1 }).toBeGreaterThan(0)
    return { pool, calls, proceed: () => proxy.heal() }
  },
  'the answer of a proxy to CONNECT': async () => {
    const { opened, open } = gate()
    let asked = false
    const port = await listening(
      createServer(async socket => {
        socket.on('error', () => socket.destroy())
        await once(socket, 'data')
        asked = true
        await opened
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        const upstream = connect(server.port, '127.0.0.1')
        // Either end of what is destroyed.
        upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy())
        socket.on('close', () => upstream.destroy())
        socket.pipe(upstream).pipe(socket)
      }),
    )
    server.on('/', { body: '"ok"' })
    const pool = makePool({ proxy: `http://user:secret@127.0.0.1:${port}` })
    const calls = [pool.json(server.url('/'))]
    await expect.poll(() => asked, { interval: 1 }).toBe(true)
    return { pool, calls, proceed: open }
  },
  'the queue': async () => {
    const proceed = holdBack()
    const pool = makePool()
    const calls = [pool.json(server.url('/')), pool.json(server.url('/'))]
    await expect.poll(() => pool.stats().queued, { interval: 1 }).toBe(1)
    return { pool, calls, proceed }
  },
  'the wait for a permit': async () => {
    const { opened, open } = gate()
    let asked = false
    const acquire = ({ signal }: { signal?: AbortSignal } = {}) => {
      asked = true
      const aborted = new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
      return Promise.race([opened, aborted])
    }
    server.on('/', { body: '"ok"' })
    const pool = makePool({ limiter: { acquire } })
    const calls = [pool.json(server.url('/'))]
    await expect.poll(() => asked, { interval: 1 }).toBe(true)
    return { pool, calls, proceed: open }
  },
  'the wait for the head': async () => {
    const proceed = holdBack()
    const pool = makePool()
    const calls = [pool.json(server.url('/'))]
    await arrived(1)
    return { pool, calls, proceed }
  },
  'its body': async () => {
    const { opened, open } = gate()
    const beforePiece = (offset: number) => (offset > 0 ? opened : undefined)
    server.on('/', { body: '"ok"', chunkSize: 1, beforePiece })
    const pool = makePool()
    const { body } = await pool.request(server.url('/'))
    return { pool, calls: [body.json()], proceed: open }
  },
  'its upload': async () => {
    server.on('/', { body: '"ok"' })
    const proxy = await behind(server.port)
    const body = new Readable({ read() {} })
    body.push('begun')
    const pool = makePool()
    const url = `http://127.0.0.1:${proxy.port}/`
    const calls = [pool.json(url, { method: 'PUT', body })]
    await expect.poll(() => proxy.stats().bytesUp, { interval: 1 }).toBeGreaterThan(100)
    return { pool, calls, proceed: () => body.push(null) }
  },
  'the wait for its next attempt': async () => {
    const clock = new VirtualClock()
    server.on('/', { status: 503, headers: { 'retry-after': '10' } }, { body: '"ok"' })
    const pool = makePool({ clock })
    const calls = [pool.json(server.url('/'))]
    await expect.poll(() => pool.stats().retries, { interval: 1 }).toBe(1)
    return { pool, calls, proceed: () => clock.advance(20_000) }
  },
  'the wait for what the server allows': async () => {
    const clock = new VirtualClock()
    const pool = makePool({ clock, learnLimits: true })
    server.on('/', { body: '"ok"', headers: { ratelimit: '"d";r=0;t=5' } })
    await pool.json(server.url('/'))
    return { pool, calls: [pool.json(server.url('/'))], proceed: () => clock.advance(5_000) }
  },
  'a hedged request': async () => {
    const clock = new VirtualClock()
    const hedge = { delay: 50, extra: 0.5 }
    const pool = makePool({ clock, hedge, connectionsPerHost: 2 })
    server.on('/first', { body: '1' })
    await pool.json(server.url('/first'))
    const proceed = holdBack()
    const calls = [pool.json(server.url('/'))]
    await arrived(2)
    clock.advance(50)
    await arrived(3)
    return { pool, calls, proceed }
  },
  'a request that several share': async () => {
    const proceed = holdBack()
    const pool = makePool({ coalesce: true, cache: true })
    const calls = [1, 2, 3].map(() => pool.json(server.url('/')))
    await arrived(1)
    return { pool, calls, proceed }
  },
  'a look-up in a slow store': async () => {
    const { opened, open } = gate()
    server.on('/', { body: '"ok"' })
    const store = { get: () => opened as never, set: async () => true, delete: async () => true }
    const pool = makePool({ cache: { store } })
    return { pool, calls: [pool.json(server.url('/'))], proceed: open }
  },
  'a validation of what memory holds': () => validating({ cache: true }),
  'a validation of what a store holds': () =>
    validating({ cache: { store: new MemoryStore<CachedResponses>() } }),
  'a redirect': async () => {
    const { opened, open } = gate()
    server.on('/', async () => {
      await opened
      return { status: 302, headers: { location: '/there' } }
    })
    server.on('/there', { body: '"ok"' })
    const pool = makePool({ connectionsPerHost: 2 })
    const calls = [pool.json(server.url('/'))]
    await arrived(1)
    return { pool, calls, proceed: open }
  },
  'an HTTP/2 stream': async () => {
    const http2 = await H2Server.start()
    ends.push(() => http2.stop())
    let proceed = () => {}
    http2.script = ({ head, data }) => {
      head()
      proceed = () => data('"ok"', true)
    }
    const pool = makePool({ allowH2: true, tls: { ca: http2.certificate } })
    const calls = [pool.json(http2.url)]
    await expect.poll(() => http2.requests, { interval: 1 }).toBe(1)
    return { pool, calls, proceed: () => proceed() }
  },
}

const nothing = { pending: 0, queued: 0, deadlines: 0, connections: 0, open: 0 }

async function expectNothingLeft(pool: HttpPool): Promise<void> {
  expect(pool.stats()).toMatchObject(nothing)
  const code = 'ERR_MILLRACE_POOL_CLOSED'
  const url = server.url('/after')
  await expect(pool.request(url)).rejects.toMatchObject({ code })
  await expect(pool.json(url)).rejects.toMatchObject({ code })
  await expect(pool.fetch(url)).rejects.toMatchObject({ cause: { code } })
  await expect(pool.pages(url).next()).rejects.toMatchObject({ code })
  await pool.close()
  await pool.destroy()
  await expect.poll(() => server.stats().connections, { interval: 2 }).toBe(0)
  for (const end of ends.splice(0)) await end()
  await server.kill()
  // No handle more than before, the servers' among them.
  const count = (kind: string, list: readonly string[]) => list.filter(each => each === kind).length
  await expect
    .poll(() => openHandles().filter(kind => count(kind, openHandles()) > count(kind, handles)), {
      interval: 2,
    })
    .toEqual([])
}

describe.each(Object.keys(phases))('in %s', phase => {
  test('close() waits for the end of the call', async () => {
    const { pool, calls, proceed } = await phases[phase]!()
    let isClosed = false
    const closed = pool.close().then(() => {
      isClosed = true
    })
    await new Promise(setImmediate)
    expect(isClosed).toBe(false)
    proceed()
    expect(await Promise.all(calls)).toEqual(calls.map(() => 'ok'))
    await closed
    await expectNothingLeft(pool)
  })

  test.each(['alone', 'after close()'])('destroy(), %s, ends the call at once', async before => {
    const { pool, calls } = await phases[phase]!()
    const outcomes = Promise.allSettled(calls)
    const closed = before === 'alone' ? undefined : pool.close()
    await pool.destroy()
    const reason = { code: 'ERR_MILLRACE_POOL_CLOSED', origin: expect.stringMatching(/^https?:/) }
    for (const each of await outcomes) expect(each).toMatchObject({ status: 'rejected', reason })
    await closed
    await expectNothingLeft(pool)
  })
})

test.each([
  ['memory', () => ({})],
  ['a store', () => ({ store: new MemoryStore<CachedResponses>() })],
])('close() does not wait for a renewal of %s in the background', async (_name, makeCache) => {
  const headers = { ...stale, 'cache-control': 'max-age=0, stale-while-revalidate=60' }
  server.on('/', { body: '"ok"', headers }, { fault: 'hang' })
  const pool = makePool({ cache: makeCache() })
  for (let i = 0; i < 2; i++) {
    expect(await pool.json(server.url('/'))).toBe('ok')
    await new Promise(setImmediate)
  }
  await arrived(2)
  await pool.close()
  await expectNothingLeft(pool)
})
