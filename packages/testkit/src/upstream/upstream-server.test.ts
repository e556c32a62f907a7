import { X509Certificate } from 'node:crypto'
import { Client, Pool, request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { selfSignedCertificate } from './self-signed-certificate.ts'
import { UpstreamServer } from './upstream-server.ts'

let server: UpstreamServer
let client: Client

beforeEach(async () => {
  server = await UpstreamServer.start()
  client = new Client(server.origin)
})

afterEach(async () => {
  await client.destroy()
  await server.kill()
})

const get = (path: string, headers?: Record<string, string>) =>
  client.request({ path, method: 'GET', ...(headers && { headers }) })

describe('UpstreamServer', () => {
  test('answers a script in turn and repeats its last reply', async () => {
    server.on(
      '/flaky',
      503,
      { status: 429, headers: { 'retry-after': '2' } },
      { body: { ok: true } },
    )
    const first = await get('/flaky')
    expect([first.statusCode, await first.body.text()]).toEqual([503, '503'])
    const second = await get('/flaky?page=2')
    expect([second.statusCode, second.headers['retry-after']]).toEqual([429, '2'])
    await second.body.dump()
    for (let i = 0; i < 2; i++) {
      const reply = await get('/flaky')
      expect(reply.headers['content-type']).toBe('application/json')
      expect(await reply.body.json()).toEqual({ ok: true })
    }
  })

  test('a function sees the request, and its failure breaks the connection', async () => {
    server.on('*', ({ method, body, index }) => {
      if (index === 1) throw new Error('broken handler')
      return { body: `${method} ${body}` }
    })
    const post = () => client.request({ path: '/any', method: 'POST', body: 'data' })
    expect(await (await post()).body.text()).toBe('POST data')
    await expect(post()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
    expect(server.requests.map(({ url }) => url)).toEqual(['/any', '/any'])
  })

  test('a matching If-None-Match gets 304 without a body', async () => {
    server.on('/item', { body: 'item', etag: 'v1', cacheControl: 'max-age=60' })
    const full = await get('/item')
    expect(full.headers).toMatchObject({ etag: '"v1"', 'cache-control': 'max-age=60' })
    expect(await full.body.text()).toBe('item')
    for (const header of ['"v1"', 'W/"v1"', '"v0", "v1"', '*']) {
      const reply = await get('/item', { 'if-none-match': header })
      expect([reply.statusCode, await reply.body.text()]).toEqual([304, ''])
    }
    const changed = await get('/item', { 'if-none-match': '"v0"' })
    expect([changed.statusCode, await changed.body.text()]).toEqual([200, 'item'])
  })

  test('latency comes before the headers, chunk delays after them', async () => {
    server.on('/slow', { latency: 40, body: 'abcd', chunkSize: 1, chunkDelay: 10 })
    const start = performance.now()
    const reply = await get('/slow')
    const headersAt = performance.now() - start
    expect(await reply.body.text()).toBe('abcd')
    const bodyAt = performance.now() - start
    expect(headersAt).toBeGreaterThanOrEqual(39)
    expect(bodyAt).toBeGreaterThanOrEqual(78)
    // Of headers that were read late, pieces may have come meanwhile.
    if (headersAt < 50) expect(bodyAt - headersAt).toBeGreaterThanOrEqual(29)
  })

  test('resets at a byte offset, before the headers, or never answers', async () => {
    server.on('/cut', { body: 'x'.repeat(100), resetAfter: 10 })
    const reply = await get('/cut')
    expect(reply.headers['content-length']).toBe('100')
    await expect(reply.body.text()).rejects.toThrow()

    server.on('/reset', { fault: 'reset' })
    await expect(get('/reset')).rejects.toMatchObject({ code: 'ECONNRESET' })

    server.on('/hang', { fault: 'hang' })
    const hanging = client.request({ path: '/hang', method: 'GET', headersTimeout: 50 })
    await expect(hanging).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' })
  })

  test('counts connections and what runs at the same time', async () => {
    const gate = Promise.withResolvers<void>()
    server.on('/wait', async () => {
      await gate.promise
      return 200
    })
    const pool = new Pool(server.origin, { connections: 3 })
    const replies = Array.from({ length: 6 }, () => pool.request({ path: '/wait', method: 'GET' }))
    await expect.poll(() => server.stats().active).toBe(3)
    gate.resolve()
    for (const reply of replies) await (await reply).body.dump()
    expect(server.stats()).toMatchObject({
      requests: 6,
      accepted: 3,
      peakConnections: 3,
      peakActive: 3,
      active: 0,
    })
    expect(new Set(server.requests.map(({ connection }) => connection)).size).toBe(3)
    await pool.destroy()
  })

  test('comes back on the same port with its routes', async () => {
    server.on('/item', { body: 'still here' })
    const { port } = server
    await server.kill()
    await expect(get('/item')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await server.restart()
    expect(server.port).toBe(port)
    expect(await (await get('/item')).body.text()).toBe('still here')
  })

  test('an orderly close lets a running answer end', async () => {
    server.on('/late', { latency: 30, body: 'done' })
    const reply = get('/late', { connection: 'close' })
    while (server.requests.length === 0) await new Promise(setImmediate)
    const closed = server.close()
    expect(await (await reply).body.text()).toBe('done')
    await closed
  })
})

test('TLS: the certificate is valid for localhost and 127.0.0.1 and trusted when named', async () => {
  const { cert } = selfSignedCertificate()
  const parsed = new X509Certificate(cert)
  expect(parsed.checkHost('localhost')).toBe('localhost')
  expect(parsed.checkIP('127.0.0.1')).toBe('127.0.0.1')

  await using secure = await UpstreamServer.start({ tls: true })
  const trusting = new Client(secure.origin, { connect: { ca: secure.certificate! } })
  const reply = await trusting.request({ path: '/', method: 'GET' })
  expect(await reply.body.text()).toBe('200')
  expect(secure.requests[0]!.connection).toBe(1)
  await expect(request(secure.url())).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  await trusting.destroy()
})
