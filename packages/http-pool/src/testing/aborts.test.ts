import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { FaultProxy, selfSignedCertificate, UpstreamServer, VirtualClock } from '@millrace/testkit'
import { beforeEach, describe, expect, test } from 'vitest'
import type { BodyContent, HttpPool } from '../index.ts'
import { server, useUpstream } from './upstream.fixture.ts'

let pool: HttpPool
const makePool = useUpstream({ connectionsPerHost: 1, totalTimeout: 60_000 })

beforeEach(() => {
  pool = makePool()
})

const clean = { pending: 0, queued: 0, deadlines: 0, connections: 0 }

/** Aborts once `ready`, expects the reason, and all counts back at zero. */
async function abortWhen(
  run: (signal: AbortSignal) => Promise<unknown>,
  ready: () => boolean,
): Promise<void> {
  const controller = new AbortController()
  const result = run(controller.signal).then(
    () => undefined,
    error => error,
  )
  await expect.poll(ready, { interval: 1 }).toBe(true)
  controller.abort(new Error('changed my mind'))
  expect(await result).toMatchObject({ message: 'changed my mind' })
}

test('before the call', async () => {
  const signal = AbortSignal.abort(new Error('too late'))
  await expect(pool.request(server.url('/'), { signal })).rejects.toThrow('too late')
  await expect(pool.json(server.url('/'), { signal })).rejects.toThrow('too late')
  expect(pool.stats()).toMatchObject(clean)
  expect(server.stats().accepted).toBe(0)
})

test('while it waits for a connection', async () => {
  const held = Promise.withResolvers<void>()
  server.on('*', async () => {
    await held.promise
    return { body: '1' }
  })
  const holder = pool.json(server.url('/'))
  await expect.poll(() => pool.stats().open).toBe(1)
  await abortWhen(
    signal => pool.request(server.url('/'), { signal }),
    () => pool.stats().queued === 1,
  )
  expect(pool.stats()).toMatchObject({ queued: 0, pending: 1, deadlines: 1 })
  held.resolve()
  expect(await holder).toBe(1)
  expect(server.requests).toHaveLength(1)
})

test('while it waits for the addresses of a name', async () => {
  let asked = false
  pool = makePool({
    lookup: () => {
      asked = true
    },
  })
  await abortWhen(
    signal => pool.request('http://name.example/', { signal }),
    () => asked,
  )
  await expect.poll(() => pool.stats()).toMatchObject(clean)
})

test('during the TLS handshake', async () => {
  const secure = await UpstreamServer.start({ tls: true })
  const proxy = await FaultProxy.start({ target: secure.port })
  proxy.stall('down')
  await abortWhen(
    signal => pool.request(`https://127.0.0.1:${proxy.port}/`, { signal }),
    () => proxy.stats().bytesUp > 0,
  )
  await expect.poll(() => pool.stats()).toMatchObject(clean)
  await proxy.stop()
  await secure.kill()
})

test('in an upload', async () => {
  const proxy = await FaultProxy.start({ target: server.port })
  const body = new Readable({ read() {} })
  body.push('begun')
  await abortWhen(
    signal => pool.request(`http://127.0.0.1:${proxy.port}/`, { method: 'PUT', body, signal }),
    () => proxy.stats().bytesUp > 100,
  )
  await expect.poll(() => pool.stats()).toMatchObject(clean)
  await expect.poll(() => body.destroyed).toBe(true)
  await proxy.stop()
})

test('while a hedge is under way beside it', async () => {
  const clock = new VirtualClock()
  pool = makePool({ connectionsPerHost: 2, hedge: { delay: 50, extra: 0.5 }, clock })
  server.on('/hang', { fault: 'hang' })
  await (await pool.request(server.url('/'))).body.dump()
  const hanging = () => server.requests.length - 1
  await abortWhen(
    async signal => {
      const response = pool.request(server.url('/hang'), { signal })
      await expect.poll(hanging, { interval: 1 }).toBe(1)
      clock.advance(50)
      await response
    },
    () => hanging() === 2,
  )
  expect(pool.stats().hedges).toBe(1)
  await expect.poll(() => pool.stats()).toMatchObject(clean)
  await expect.poll(() => server.stats().connections).toBe(0)
})

test('while it waits for the limit that the server has told', async () => {
  pool = makePool({ learnLimits: true, clock: new VirtualClock() })
  server.on('*', { headers: { ratelimit: '"d";r=0;t=5' } })
  await (await pool.request(server.url('/'))).body.dump()
  await abortWhen(
    signal => pool.request(server.url('/'), { signal }),
    () => pool.stats().requests === 2,
  )
  expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0, open: 1 })
})

test('while it waits for the head of the response', async () => {
  server.on('*', { fault: 'hang' })
  await abortWhen(
    signal => pool.request(server.url('/'), { signal }),
    () => server.requests.length === 1,
  )
  await expect.poll(() => pool.stats()).toMatchObject(clean)
  await expect.poll(() => server.stats().connections).toBe(0)
})

test('in the body', async () => {
  const beforePiece = (offset: number) => (offset > 0 ? new Promise(() => {}) : undefined)
  server.on('*', { body: 'x'.repeat(100), chunkSize: 1, beforePiece })
  let begun = false
  await abortWhen(
    async signal => {
      const { body } = await pool.request(server.url('/'), { signal })
      begun = true
      await body.text()
    },
    () => begun,
  )
  await expect.poll(() => pool.stats()).toMatchObject(clean)
})

test('while it waits for the next attempt', async () => {
  pool = makePool({ clock: new VirtualClock() })
  server.on('*', { status: 503, headers: { 'retry-after': '10' } })
  await abortWhen(
    signal => pool.request(server.url('/'), { signal }),
    () => pool.stats().retries === 1,
  )
  expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
})

test('with a body that is left unread', async () => {
  server.on('*', { body: Buffer.alloc(1_000_000) })
  const { body } = await pool.request(server.url('/'))
  body.destroy()
  await expect.poll(() => pool.stats()).toMatchObject(clean)
})

describe('an upload that is never sent closes its stream', () => {
  let closed = 0

  test.each<[string, () => BodyContent]>([
    ['a Readable', () => new Readable({ read() {} })],
    ['a ReadableStream', () => new ReadableStream({ cancel: () => void closed++ })],
  ])('%s', async (_name, makeBody) => {
    closed = 0
    const upload = (signal: AbortSignal) => {
      const body = makeBody()
      if (body instanceof Readable) body.on('close', () => closed++)
      return pool.request(server.url('/'), { method: 'PUT', body: () => body, signal })
    }
    const reason = new Error('changed my mind')
    await expect(upload(AbortSignal.abort(reason))).rejects.toBe(reason)
    await expect.poll(() => closed).toBe(1)
    server.on('*', { fault: 'hang' })
    const holder = pool.request(server.url('/')).catch(error => error.message)
    await abortWhen(upload, () => pool.stats().queued === 1)
    await expect.poll(() => closed).toBe(2)
    await pool.destroy(new Error('over'))
    expect(await holder).toBe('over')
  })
})

test('the next one in the queue gets the place of one that aborts', async () => {
  server.on('/hang', { fault: 'hang' })
  server.on('/next', { body: '"served"' })
  const controller = new AbortController()
  const hanging = pool.request(server.url('/hang'), { signal: controller.signal })
  const next = pool.json(server.url('/next'))
  await expect.poll(() => server.requests.length).toBe(1)
  controller.abort(new Error('left'))
  await expect(hanging).rejects.toThrow('left')
  expect(await next).toBe('served')
})

describe('in the middle of a write', () => {
  const bodies: Record<string, () => BodyContent> = {
    text: () => 'text',
    Blob: () => new Blob(['blob']),
    iterable: () => ['a', 'b'],
    Readable: () => Readable.from(['a', 'b']),
  }
  const endings = ['an error of onProgress', 'its abort', 'the end of the pool'] as const
  const cases = Object.keys(bodies).flatMap(body => endings.map(ending => [ending, body] as const))

  test.each(cases)('%s ends the upload of a %s and nothing else', async (ending, body) => {
    const { key, cert } = selfSignedCertificate()
    const http2 = createSecureServer({ key, cert }, (request, response) => {
      request.resume().on('end', () => response.end())
    })
    await once(http2.listen(0, '127.0.0.1'), 'listening')
    const { port } = http2.address() as AddressInfo
    for (const url of [server.url('/'), `https://127.0.0.1:${port}/`]) {
      for (const isWarm of [false, true]) {
        pool = makePool({ allowH2: true, tls: { ca: cert } })
        if (isWarm) await (await pool.request(url)).body.dump()
        const reason = new Error('changed my mind')
        const controller = new AbortController()
        const onProgress = () => {
          if (ending === 'an error of onProgress') throw reason
          if (ending === 'its abort') controller.abort(reason)
          else pool.destroy(reason)
        }
        const { signal } = controller
        const options = {
          method: 'PUT',
          body: bodies[body],
          signal,
          onProgress,
          retry: false,
        } as const
        await expect(pool.request(url, options)).rejects.toBe(reason)
        await pool.destroy()
        expect(pool.stats()).toMatchObject(clean)
      }
    }
    http2.close()
  })
})
