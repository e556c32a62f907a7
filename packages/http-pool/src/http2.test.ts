import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { selfSignedCertificate } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions } from './index.ts'

let server: Http2SecureServer
let url: string
let sessions = 0
let streams = 0
let peakStreams = 0
let pool: HttpPool
let certificate: string

/** Answers by path: `/hang` never, `/cut` with a stream that is reset in the body, all others after 5 ms. */
function respond(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  peakStreams = Math.max(peakStreams, ++streams)
  stream.on('close', () => streams--)
  stream.on('error', () => {})
  const path = headers[':path']
  if (path === '/hang') return
  if (path === '/cut') {
    stream.respond({ ':status': 200, 'content-length': 100 })
    stream.write('{"half"')
    setTimeout(() => stream.close(2), 5)
    return
  }
  stream.respond({ ':status': 200 })
  setTimeout(() => stream.end(JSON.stringify({ path })), 5)
}

beforeEach(async () => {
  sessions = 0
  streams = 0
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
  pool = new HttpPool({ tls: { ca: certificate }, retry: false, ...options })
  return pool
}

test('requests share one connection', async () => {
  makePool()
  const all = await Promise.all(
    Array.from({ length: 60 }, (_, i) => pool.json<{ path: string }>(`${url}/${i}`)),
  )
  expect(all.map(({ path }) => path)).toEqual(Array.from({ length: 60 }, (_, i) => `/${i}`))
  expect(sessions).toBe(1)
  expect(pool.stats()).toMatchObject({ created: 1, open: 1, pending: 0, queued: 0 })
})

test('no more streams than allowed on a connection, and another connection then', async () => {
  makePool({ maxConcurrentStreams: 10, connectionsPerHost: 2 })
  await Promise.all(Array.from({ length: 100 }, (_, i) => pool.json(`${url}/${i}`)))
  expect(peakStreams).toBeLessThanOrEqual(20)
  expect(sessions).toBe(2)
})

test('concurrency per host bounds the streams', async () => {
  makePool({ concurrencyPerHost: 5 })
  await Promise.all(Array.from({ length: 40 }, (_, i) => pool.json(`${url}/${i}`)))
  expect(peakStreams).toBeLessThanOrEqual(5)
})

test('an abort or a time-out ends its stream and leaves the others alone', async () => {
  makePool({ headersTimeout: 300 })
  const controller = new AbortController()
  const aborted = pool.json(`${url}/hang`, { signal: controller.signal })
  const late = pool.json(`${url}/hang`)
  await expect.poll(() => streams).toBe(2)
  const other = pool.json(`${url}/other`)
  controller.abort(new Error('left'))
  await expect(aborted).rejects.toThrow('left')
  expect(await other).toEqual({ path: '/other' })
  await expect(late).rejects.toMatchObject({ phase: 'headers' })
  await expect.poll(() => streams).toBe(0)
  expect(sessions).toBe(1)
  expect(pool.stats()).toMatchObject({ pending: 0, open: 1, deadlines: 0 })
})

test('a stream that is reset is an error, or another attempt for json()', async () => {
  makePool({ retry: { baseDelay: 0, maxAttempts: 2 } })
  const { body } = await pool.request(`${url}/cut`)
  await expect(body.text()).rejects.toThrow()
  await expect(pool.json(`${url}/cut`)).rejects.toThrow()
  expect(pool.stats().retries).toBe(1)
  expect(await pool.json(`${url}/fine`)).toEqual({ path: '/fine' })
})

test('is off with allowH2: false', async () => {
  await pool?.destroy()
  makePool({ allowH2: false })
  await expect(pool.request(`${url}/`)).rejects.toThrow()
})
