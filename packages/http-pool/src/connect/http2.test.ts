import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { selfSignedCertificate, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions, HttpTimeoutError } from '../index.ts'

let server: Http2SecureServer
let url: string
let sessions = 0
let peakStreams = 0
/** Streams that have not been answered; all of them are once there are {@link gate}. */
let open: ServerHttp2Stream[] = []
let gate = 1
let pool: HttpPool
let certificate: string

/** Answers all paths but `/hang`, with that path. */
function respond(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  open.push(stream)
  peakStreams = Math.max(peakStreams, open.length)
  stream.on('close', () => {
    open = open.filter(each => each !== stream)
  })
  const path = headers[':path']
  if (path !== '/hang') {
    stream.respond({ ':status': 200 })
    stream.write(JSON.stringify({ path }))
  }
  if (open.length < gate) return
  for (const each of open) if (each.headersSent) each.end()
}

beforeEach(async () => {
  sessions = 0
  open = []
  gate = 1
  peakStreams = 0
  const { key, cert } = selfSignedCertificate()
  certificate = cert
  server = createSecureServer({ key, cert })
  server.on('session', () => sessions++)
  server.on('stream', respond as never)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  await pool.destroy()
  server.close()
})

function makePool(options: HttpPoolOptions = {}): HttpPool {
  pool = new HttpPool({ allowH2: true, tls: { ca: certificate }, retry: false, ...options })
  return pool
}

test.each(['headersTimeout', 'totalTimeout'])(
  'a connection from which nothing came until %s passed gets no more requests, and closes after those it has',
  async timeout => {
    const clock = new VirtualClock()
    makePool({ clock })
    gate = 3
    const whole = await pool.request(`${url}/b`)
    const rest = whole.body[Symbol.asyncIterator]()
    // Not only sent by the server: what came later would be a sign of life of the connection.
    expect(String((await rest.next()).value)).toBe('{"path":"/b"}')
    const silent = pool.request(`${url}/hang`, { [timeout]: 100 })
    await expect.poll(() => open.length).toBe(2)
    clock.advance(100)
    await expect(silent).rejects.toBeInstanceOf(HttpTimeoutError)
    expect(sessions).toBe(1)
    gate = 1
    expect(await pool.json(`${url}/c`)).toEqual({ path: '/c' })
    expect(sessions).toBe(2)
    expect(await rest.next()).toMatchObject({ done: true })
    await expect.poll(() => pool.stats().open).toBe(1)
  },
)

test('requests share one connection', async () => {
  makePool()
  gate = 60
  const all = await Promise.all(
    Array.from({ length: 60 }, (_, i) => pool.json<{ path: string }>(`${url}/${i}`)),
  )
  expect(all.map(({ path }) => path)).toEqual(Array.from({ length: 60 }, (_, i) => `/${i}`))
  expect(sessions).toBe(1)
  expect(pool.stats()).toMatchObject({ created: 1, open: 1, pending: 0, queued: 0 })
})

test('no more streams than allowed on a connection, and another connection then', async () => {
  makePool({ maxConcurrentStreams: 10, connectionsPerHost: 2 })
  gate = 20
  await Promise.all(Array.from({ length: 100 }, (_, i) => pool.json(`${url}/${i}`)))
  expect(peakStreams).toBe(20)
  expect(sessions).toBe(2)
})

test('concurrency per host bounds the streams', async () => {
  makePool({ concurrencyPerHost: 5 })
  gate = 5
  await Promise.all(Array.from({ length: 40 }, (_, i) => pool.json(`${url}/${i}`)))
  expect(peakStreams).toBe(5)
})

test('an abort or a time-out ends its stream and leaves the others alone', async () => {
  const clock = new VirtualClock()
  makePool({ headersTimeout: 300, clock })
  const controller = new AbortController()
  const aborted = pool.json(`${url}/hang`, { signal: controller.signal })
  const late = pool.json(`${url}/hang`)
  await expect.poll(() => open.length).toBe(2)
  clock.advance(100)
  const other = pool.json(`${url}/other`)
  controller.abort(new Error('left'))
  await expect(aborted).rejects.toThrow('left')
  expect(await other).toEqual({ path: '/other' })
  clock.advance(200)
  await expect(late).rejects.toMatchObject({ phase: 'headers' })
  await expect.poll(() => open.length).toBe(0)
  expect(sessions).toBe(1)
  expect(pool.stats()).toMatchObject({ pending: 0, open: 1, deadlines: 0 })
})

test('a stream that fails leaves its connection, also where it carries one at a time', async () => {
  makePool({ maxConcurrentStreams: 1, connectionsPerHost: 1 })
  await pool.json(`${url}/first`)
  const controller = new AbortController()
  const aborted = pool.json(`${url}/hang`, { signal: controller.signal })
  await expect.poll(() => open.length).toBe(1)
  controller.abort(new Error('left'))
  await expect(aborted).rejects.toThrow('left')
  expect(await pool.json(`${url}/next`)).toEqual({ path: '/next' })
  expect(sessions).toBe(1)
  expect(pool.stats()).toMatchObject({ created: 1, open: 1, pending: 0 })
})

test('is off by default', async () => {
  await pool?.destroy()
  makePool({ allowH2: undefined })
  await expect(pool.request(`${url}/`)).rejects.toThrow()
})

test('a Readable tells how far its upload has come, and headersTimeout counts from the last part sent', async () => {
  server.removeAllListeners('stream')
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.resume().on('end', () => stream.respond({ ':status': 200 }, { endStream: true }))
  })
  const clock = new VirtualClock()
  pool = new HttpPool({
    allowH2: true,
    tls: { ca: certificate },
    retry: false,
    headersTimeout: 50,
    clock,
  })
  const body = new Readable({ read() {} })
  const uploaded: number[] = []
  const call = pool.request(`${url}/up`, {
    method: 'PUT',
    body,
    onProgress: ({ direction, bytes }) => {
      if (direction === 'upload') uploaded.push(bytes)
    },
  })
  for (let i = 1; i <= 3; i++) {
    body.push('part')
    await expect.poll(() => uploaded, { interval: 1 }).toHaveLength(i)
    clock.advance(40)
  }
  body.push(null)
  expect((await call).statusCode).toBe(200)
  expect(uploaded).toEqual([4, 8, 12])
})
