import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Duplex, Readable, Writable } from 'node:stream'
import { interceptors, request, stream, upgrade } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HttpPool } from './index.ts'
import { server, useUpstream } from './testing/upstream.fixture.ts'

let pool: HttpPool
const makePool = useUpstream()

beforeEach(() => {
  pool = makePool()
})

describe('request', () => {
  test('gives status, headers and a body to read once', async () => {
    server.on('/item', { status: 201, headers: { 'x-kind': 'a' }, body: 'made' })
    const { statusCode, headers, body } = await pool.request(server.url('/item'), {
      method: 'POST',
      body: 'data',
      headers: { 'content-type': 'text/plain' },
    })
    expect(statusCode).toBe(201)
    expect(headers['x-kind']).toBe('a')
    expect(await body.text()).toBe('made')
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      body: Buffer.from('data'),
      headers: { 'content-type': 'text/plain', 'content-length': '4' },
    })
  })

  test('streams large bodies both ways under back-pressure', async () => {
    const large = Buffer.alloc(3_000_000, 'x')
    server.on('*', ({ body }) => ({ body }))
    const chunks = Array.from({ length: 30 }, (_, i) =>
      large.subarray(i * 100_000, (i + 1) * 100_000),
    )
    const { body } = await pool.request(server.url('/'), {
      method: 'PUT',
      body: Readable.from(chunks),
    })
    let length = 0
    for await (const chunk of body) {
      length += chunk.length
      await new Promise(setImmediate)
    }
    expect(length).toBe(large.length)
  })

  test('a status is no error', async () => {
    server.on('*', 404)
    const { statusCode, body } = await pool.request(server.url('/none'))
    expect(statusCode).toBe(404)
    await body.dump()
  })

  test('reuses connections one after the other', async () => {
    server.on('*', { body: 'ok' })
    for (let i = 0; i < 10; i++) {
      const { body } = await pool.request(server.url('/'))
      await body.text()
    }
    expect(server.stats().accepted).toBe(1)
    expect(pool.stats()).toMatchObject({ open: 1, idle: 1, created: 1, reused: 9, requests: 10 })
  })
})

describe('json', () => {
  test('sends and parses JSON', async () => {
    server.on('*', ({ body }) => ({ body: { got: JSON.parse(body.toString()) } }))
    const value = await pool.json<{ got: number[] }>(server.url('/'), { json: [1, 2] })
    expect(value).toEqual({ got: [1, 2] })
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
    })
  })

  test('a status other than 2xx is an error with the body, kept out of the message', async () => {
    server.on('*', { status: 422, body: { error: 'name is taken' } })
    const error = await pool.json(server.url('/')).catch(each => each)
    expect(error).toMatchObject({
      name: 'ResponseStatusError',
      code: 'ERR_MILLRACE_RESPONSE_STATUS',
      statusCode: 422,
      origin: server.origin,
      body: '{"error":"name is taken"}',
      message: `${server.origin} answered 422`,
    })
  })

  test('no content is undefined, a byte order mark is no content', async () => {
    server.on('/none', 204)
    server.on('/marked', { body: '\ufeff{"a":1}' })
    expect(await pool.json(server.url('/none'), { method: 'DELETE' })).toBeUndefined()
    expect(await pool.json(server.url('/marked'))).toEqual({ a: 1 })
  })

  test('what is not JSON is an error', async () => {
    server.on('*', { body: '<html>' })
    await expect(pool.json(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_RESPONSE_PARSE',
      cause: expect.any(SyntaxError),
    })
  })
})

describe('fetch', () => {
  test('is the standard fetch over the pool', async () => {
    server.on('/a', { status: 302, headers: { location: '/b' } })
    server.on('/b', { body: { ok: true } })
    const response = await pool.fetch(server.url('/a'))
    expect(response.redirected).toBe(true)
    expect(await response.json()).toEqual({ ok: true })
    expect(pool.stats().requests).toBe(2)
  })

  test('is aborted by its signal while it waits for a connection', async () => {
    server.on('*', { fault: 'hang' })
    const narrow = new HttpPool({ connectionsPerHost: 1 })
    const hanging = narrow.fetch(server.url('/')).catch(error => error)
    const controller = new AbortController()
    const waiting = narrow.fetch(server.url('/'), { signal: controller.signal })
    await expect.poll(() => narrow.stats().queued).toBe(1)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(narrow.stats().queued).toBe(0)
    await narrow.destroy()
    await hanging
  })
})

describe('dispatcher', () => {
  test('serves the other functions of undici', async () => {
    server.on('*', { body: 'streamed' })
    const chunks: Buffer[] = []
    await stream(server.url('/'), { dispatcher: pool.dispatcher, method: 'GET' }, () => {
      return new Writable({
        write(chunk, _encoding, done) {
          chunks.push(chunk)
          done()
        },
      })
    })
    expect(Buffer.concat(chunks).toString()).toBe('streamed')
  })

  test('takes interceptors around it', async () => {
    server.on('*', 404)
    const strict = pool.dispatcher.compose(interceptors.responseError())
    await expect(request(server.url('/'), { dispatcher: strict })).rejects.toMatchObject({
      statusCode: 404,
    })
    expect(pool.stats()).toMatchObject({ requests: 1, pending: 0 })
  })

  test('serves the fetch of Node', async () => {
    server.on('*', { body: 'fetched' })
    const { dispatcher } = pool
    const init: object = { dispatcher, signal: AbortSignal.timeout(60_000) }
    const response = await globalThis.fetch(server.url('/'), init)
    expect([response.status, await response.text()]).toEqual([200, 'fetched'])
    expect(pool.stats()).toMatchObject({ requests: 1, pending: 0 })
  })

  describe('upgrades', () => {
    let upgrading: Server
    let socket: Duplex

    beforeEach(async () => {
      upgrading = createServer().on('upgrade', (_request, socket) => {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n',
        )
        socket.pipe(socket)
      })
      upgrading.listen(0, '127.0.0.1')
      await once(upgrading, 'listening')
      const { port } = upgrading.address() as AddressInfo
      const { dispatcher } = pool
      const url = `http://127.0.0.1:${port}/`
      socket = (await upgrade(url, { dispatcher, protocol: 'echo' })).socket
    })

    afterEach(() => {
      socket.destroy()
      upgrading.close()
    })

    async function expectEcho(): Promise<void> {
      socket.write('hello')
      const [echo] = await once(socket, 'data')
      expect(String(echo)).toBe('hello')
    }

    test('to a socket, which keeps its place in the total', async () => {
      await expectEcho()
      expect(pool.stats()).toMatchObject({ pending: 0, open: 0, connections: 1 })
      socket.destroy()
      await expect.poll(() => pool.stats().connections).toBe(0)
    })

    test.each(['close', 'destroy'] as const)('to a socket that outlives %s()', async end => {
      await pool[end]()
      await expectEcho()
      socket.destroy()
      await expect.poll(() => pool.stats().connections).toBe(0)
    })
  })
})

describe('close', () => {
  test('waits for what runs, refuses what comes, leaves no connection', async () => {
    server.on('*', { latency: 30, body: 'done' })
    const running = pool.request(server.url('/')).then(({ body }) => body.text())
    const closed = pool.close()
    await expect(pool.request(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_POOL_CLOSED',
    })
    expect(await running).toBe('done')
    await closed
    expect(pool.stats()).toMatchObject({ connections: 0, open: 0, deadlines: 0 })
    await expect.poll(() => server.stats().connections).toBe(0)
  })

  test('destroy fails what runs and what waits', async () => {
    server.on('*', { fault: 'hang' })
    const narrow = new HttpPool({ connectionsPerHost: 1 })
    const all = [1, 2, 3].map(() => narrow.request(server.url('/')).catch(error => error))
    await expect.poll(() => server.requests.length).toBe(1)
    await narrow.destroy(new Error('going down'))
    for (const error of await Promise.all(all)) expect(error.message).toBe('going down')
    expect(narrow.stats()).toMatchObject({ connections: 0, queued: 0, pending: 0, deadlines: 0 })
  })
})

test.each<[string, (pool: HttpPool) => Promise<void>[]]>([
  ['close beside destroy', each => [each.close(), each.destroy()]],
  ['destroy beside close', each => [each.destroy(), each.close()]],
  ['destroy twice', each => [each.destroy(), each.destroy()]],
])('%s: both end', async (_name, end) => {
  server.on('/hang', { fault: 'hang' })
  await pool.json(server.url('/'))
  const failed = pool.request(server.url('/hang')).catch(error => error.code)
  await expect.poll(() => server.requests.length).toBe(2)
  await Promise.all(end(pool))
  expect(await failed).toBe('ERR_MILLRACE_POOL_CLOSED')
  expect(pool.stats()).toMatchObject({ connections: 0, deadlines: 0 })
})

test('the caller continues in its own async context', async () => {
  const storage = new AsyncLocalStorage<number>()
  server.on('*', { latency: 2, body: '1' })
  const narrow = new HttpPool({ connectionsPerHost: 2 })
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      storage.run(i, async () => {
        await narrow.json(server.url('/'))
        expect(storage.getStore()).toBe(i)
      }),
    ),
  )
  await narrow.close()
})
