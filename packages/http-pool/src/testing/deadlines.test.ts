import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FaultProxy, UpstreamServer, VirtualClock } from '@millrace/testkit'
import { request as undiciRequest } from 'undici'
import { describe, expect, test } from 'vitest'
import { server, useUpstream } from './upstream.fixture.ts'

const makePool = useUpstream({ retry: false })

/** What a body waits for before its second piece. */
const stopsAfterOne = (offset: number) => (offset > 0 ? new Promise(() => {}) : undefined)

async function timed(run: () => Promise<unknown>): Promise<{ error: unknown; duration: number }> {
  const start = performance.now()
  const error = await run().then(
    () => undefined,
    reason => reason,
  )
  return { error, duration: performance.now() - start }
}

describe('headers timeout', () => {
  test('ends a server that does not answer', async () => {
    server.on('*', { fault: 'hang' })
    const clock = new VirtualClock()
    const client = makePool({ headersTimeout: 50, clock })
    const failed = client.request(server.url('/')).catch(error => error)
    await expect.poll(() => server.requests.length).toBe(1)
    clock.advance(49)
    expect(client.stats().pending).toBe(1)
    clock.advance(1)
    expect(await failed).toMatchObject({
      code: 'ERR_MILLRACE_HTTP_HEADERS_TIMEOUT',
      message: `The headers timeout of 50 ms passed for ${server.origin}`,
    })
    await expect.poll(() => client.stats().connections).toBe(0)
  })

  test('is none where undici’s own options of a dispatch say 0', async () => {
    server.on('*', { fault: 'hang' })
    const clock = new VirtualClock()
    const client = makePool({ headersTimeout: 50, clock })
    let ended = false
    const over = new AbortController()
    const options = {
      method: 'GET',
      headersTimeout: 0,
      dispatcher: client.dispatcher,
      signal: over.signal,
    } as const
    const waiting = undiciRequest(server.url('/'), options).finally(() => {
      ended = true
    })
    await expect.poll(() => server.requests.length).toBe(1)
    clock.advance(3_600_000)
    await new Promise(setImmediate)
    expect(ended).toBe(false)
    over.abort(new Error('over'))
    await expect(waiting).rejects.toThrow('over')
  })

  // undici alone ends such a request after 588 ms, as its timers have a grain of half a second. In real time, as
  // those are the timers that must not fire.
  test('is not early on a reused connection: 1,900 ms for an answer after 700 ms', async () => {
    server.on('/first', { body: '1' })
    server.on('/slow', { latency: 700, body: '2' })
    const client = makePool({ headersTimeout: 1_900 })
    await client.json(server.url('/first'))
    let answer: unknown
    const { error, duration } = await timed(async () => {
      answer = await client.json(server.url('/slow'))
    })
    // A machine that stands still may let the time pass; then it is no earlier than said.
    if (error !== undefined) expect(duration).toBeGreaterThanOrEqual(1_900)
    else expect(answer).toBe(2)
    expect(server.stats().accepted).toBe(1)
  })

  test('counts from the last chunk of an upload that makes progress', async () => {
    const clock = new VirtualClock()
    server.on('*', { body: '1' })
    const client = makePool({ headersTimeout: 100, clock })
    async function* slowly() {
      for (let i = 0; i < 10; i++) {
        clock.advance(60)
        yield 'chunk'
      }
    }
    expect(await client.json(server.url('/'), { method: 'PUT', body: slowly() })).toBe(1)
    server.on('*', { fault: 'hang' })
    const hanging = client.json(server.url('/'), { method: 'PUT', body: slowly() })
    await expect.poll(() => server.requests.length).toBe(2)
    clock.advance(100)
    await expect(hanging).rejects.toMatchObject({ phase: 'headers' })
  })

  test('does not count the wait for a connection', async () => {
    const clock = new VirtualClock()
    // 40 ms for each of them: the last is sent after 360.
    const slow = createServer((_request, response) => {
      clock.advance(40)
      response.end('1')
    })
    await once(slow.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`
    const client = makePool({ headersTimeout: 300, connectionsPerHost: 1, clock })
    const results = await Promise.all(Array.from({ length: 10 }, () => client.json(url)))
    expect(results).toHaveLength(10)
    slow.close()
  })
})

describe('body timeout', () => {
  test('ends a body that stops', async () => {
    server.on('*', { body: 'abcdef', chunkSize: 1, beforePiece: stopsAfterOne })
    const clock = new VirtualClock()
    const client = makePool({ bodyTimeout: 60, clock })
    const parts = (await client.request(server.url('/'))).body[Symbol.asyncIterator]()
    await parts.next()
    const failed = Promise.resolve(parts.next()).catch(error => error)
    clock.advance(59)
    expect(client.stats().pending).toBe(1)
    clock.advance(1)
    expect(await failed).toMatchObject({ code: 'ERR_MILLRACE_HTTP_BODY_TIMEOUT', phase: 'body' })
  })

  test('counts between chunks only', async () => {
    // Each of them once the one before has been read.
    const read = Array.from({ length: 8 }, () => Promise.withResolvers<void>())
    const beforePiece = (offset: number) => read[offset - 1]?.promise
    server.on('*', { body: 'abcdefgh', chunkSize: 1, beforePiece })
    const clock = new VirtualClock()
    const client = makePool({ bodyTimeout: 120, clock })
    const { body } = await client.request(server.url('/'))
    let text = ''
    for await (const chunk of body) {
      text += chunk
      clock.advance(100)
      read[text.length - 1]!.resolve()
    }
    expect(text).toBe('abcdefgh')
    expect(clock.now()).toBe(800)
  })

  test('does not run while the reader pauses', async () => {
    server.on('*', { body: Buffer.alloc(2_000_000) })
    const clock = new VirtualClock()
    const client = makePool({ bodyTimeout: 40, clock })
    // The first bytes come with the head, and stop the sender.
    const { body } = await client.request(server.url('/'), { highWaterMark: 1 })
    clock.advance(150)
    let length = 0
    for await (const chunk of body) length += chunk.length
    expect(length).toBe(2_000_000)
  })
})

describe('connect timeout', () => {
  test('ends a handshake that stalls', async () => {
    const secure = await UpstreamServer.start({ tls: true })
    const proxy = await FaultProxy.start({ target: secure.port })
    proxy.stall('down')
    const client = makePool({ connectTimeout: 80, tls: { ca: secure.certificate! } })
    const { error, duration } = await timed(() =>
      client.request(`https://127.0.0.1:${proxy.port}/`),
    )
    expect(error).toMatchObject({ code: 'ERR_MILLRACE_HTTP_CONNECT_TIMEOUT', phase: 'connect' })
    expect(duration).toBeGreaterThanOrEqual(80)
    await expect.poll(() => client.stats().connections).toBe(0)
    await proxy.stop()
    await secure.kill()
  })
})

describe('total timeout', () => {
  test('covers attempts, delays and redirects', async () => {
    server.on('*', 503)
    const clock = new VirtualClock()
    const client = makePool({
      totalTimeout: 400,
      retry: { baseDelay: 30, maxAttempts: 100 },
      random: () => 1,
      clock,
    })
    const answer = client.request(server.url('/'))
    for (const [index, delay] of [30, 60, 120].entries()) {
      await expect.poll(() => client.stats().retries).toBe(index + 1)
      clock.advance(delay)
    }
    // A delay that would pass the deadline is not begun: the last response comes instead of an error.
    const { statusCode, body } = await answer
    await body.dump()
    expect([statusCode, clock.now()]).toEqual([503, 210])
    expect(server.requests).toHaveLength(4)
  })

  test('covers the body', async () => {
    server.on('*', { body: 'abcdefghijkl', chunkSize: 1, beforePiece: stopsAfterOne })
    const clock = new VirtualClock()
    const client = makePool({ clock })
    const { body } = await client.request(server.url('/'), { totalTimeout: 100 })
    const failed = body.text().catch(error => error)
    clock.advance(99)
    expect(client.stats().pending).toBe(1)
    clock.advance(1)
    expect(await failed).toMatchObject({ code: 'ERR_MILLRACE_HTTP_TOTAL_TIMEOUT' })
  })

  test('covers the wait for a connection', async () => {
    server.on('*', { fault: 'hang' })
    const clock = new VirtualClock()
    const client = makePool({ connectionsPerHost: 1, clock })
    const holder = client.request(server.url('/')).catch(error => error)
    const failed = client.request(server.url('/'), { totalTimeout: 30 }).catch(error => error)
    await expect.poll(() => client.stats().queued).toBe(1)
    clock.advance(30)
    expect(await failed).toMatchObject({ phase: 'total' })
    expect(client.stats().queued).toBe(0)
    await client.destroy()
    expect(await holder).toMatchObject({ code: 'ERR_MILLRACE_POOL_CLOSED' })
  })
})

test('no deadline is left behind by requests that end', async () => {
  server.on('*', { body: '1' })
  const client = makePool({ totalTimeout: 60_000 })
  await Promise.all(Array.from({ length: 50 }, () => client.json(server.url('/'))))
  expect(client.stats().deadlines).toBe(0)
})
