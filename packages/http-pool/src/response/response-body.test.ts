import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HttpPool, HttpResponse, ResponseBody } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

let pool: HttpPool
const makePool = useUpstream({ retry: false })

beforeEach(() => {
  pool = makePool()
})

const get = (path = '/'): Promise<HttpResponse> => pool.request(server.url(path))

describe('the whole body', () => {
  const text = '{"word":"Grüße, 世界 🌍"}'
  const plain = new Uint8Array(Buffer.from(text))

  beforeEach(() => {
    // Every character of more than one byte is cut in two.
    server.on('*', { body: text, chunkSize: 1, headers: { 'content-type': 'text/x' } })
  })

  test.each<[string, (body: ResponseBody) => Promise<unknown>, unknown]>([
    ['text', body => body.text(), text],
    ['json', body => body.json(), JSON.parse(text)],
    ['bytes', body => body.bytes(), plain],
    ['arrayBuffer', body => body.arrayBuffer(), plain.buffer],
  ])('as %s', async (_name, read, expected) => {
    const { body } = await get()
    expect(body.bodyUsed).toBe(false)
    const result = read(body)
    expect(body.bodyUsed).toBe(true)
    expect(await result).toEqual(expected)
    for (const again of [body.text(), body.dump()]) {
      await expect(again).rejects.toThrow(TypeError)
    }
  })

  test('as a blob of its type', async () => {
    const blob = await (await get()).body.blob()
    expect([blob.type, await blob.text()]).toEqual(['text/x', text])
  })

  test('that is no JSON is an error of the parser', async () => {
    server.on('*', { body: '<html>' })
    await expect((await get()).body.json()).rejects.toThrow(SyntaxError)
  })

  test('that breaks off is an error, read or not', async () => {
    server.on('*', { body: text, chunkSize: 5, resetAfter: 10 })
    await expect((await get()).body.text()).rejects.toMatchObject({
      code: expect.stringMatching(/^(UND_ERR_|ECONNRESET)/),
    })
    const { body } = await get()
    await expect.poll(() => body.destroyed).toBe(true)
    await expect(body.text()).rejects.toMatchObject({ code: expect.any(String) })
  })
})

describe('as a stream', () => {
  test('cannot be read by a method as well', async () => {
    server.on('*', { body: 'abc', chunkSize: 1 })
    const { body } = await get()
    let read = ''
    for await (const chunk of body) {
      read += chunk
      await expect(body.text()).rejects.toThrow('The body can be read only once')
    }
    expect(read).toBe('abc')
  })

  test('that its reader leaves frees its connection', async () => {
    server.on('*', { body: Buffer.alloc(1_000_000), chunkSize: 1_000 })
    const { body } = await get()
    for await (const _ of body) break
    expect(body.destroyed).toBe(true)
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, connections: 0 })
  })

  test('holds up the server while nobody reads', async () => {
    server.on('*', { body: Buffer.alloc(20_000_000) })
    const { body } = await get()
    // One that is read passes it by.
    expect((await (await get()).body.bytes()).length).toBe(20_000_000)
    await expect.poll(() => server.stats().active).toBe(1)
    expect((await body.bytes()).length).toBe(20_000_000)
    await expect.poll(() => server.stats().active).toBe(0)
  })
})

describe('thrown away', () => {
  test.each([
    ['a short one keeps its connection', 100_000, undefined, 1],
    ['a long one costs it', 1_000_000, undefined, 0],
    ['a long one within the limit given keeps it', 1_000_000, { limit: 2_000_000 }, 1],
    ['a short one beyond the limit given costs it', 100_000, { limit: 1_000 }, 0],
  ])('%s', async (_name, size, options, open) => {
    server.on('*', { body: Buffer.alloc(size), chunkSize: 10_000, chunkDelay: 1 })
    const { body } = await get()
    await body.dump(options)
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, open, connections: open })
  })

  test('one that says it is too long ends at once, whatever has come of it', async () => {
    server.on('*', { body: Buffer.alloc(10_000), chunkSize: 1_000, chunkDelay: 60_000 })
    const { body } = await get()
    await body.dump({ limit: 10 })
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, open: 0, connections: 0 })
    server.on('*', { headers: { 'content-length': '10000' } })
    const head = await pool.request(server.url('/'), { method: 'HEAD' })
    await head.body.dump({ limit: 10 })
    expect(head.body.errored).toBeNull()
  })

  test('with an error, it is that of who reads', async () => {
    server.on('*', { body: 'x'.repeat(100), chunkSize: 1, chunkDelay: 5 })
    const { body } = await get()
    const read = body.text()
    const failed = once(body, 'error')
    body.destroy(new Error('had enough'))
    await expect(read).rejects.toThrow('had enough')
    expect(await failed).toEqual([new Error('had enough')])
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, connections: 0 })
  })
})

describe('around it', () => {
  let peer: Server | undefined

  afterEach(() => peer?.close())

  async function listen(listener: RequestListener): Promise<string> {
    peer = createServer(listener).listen(0, '127.0.0.1')
    await once(peer, 'listening')
    return `http://127.0.0.1:${(peer.address() as AddressInfo).port}/`
  }

  test('trailers come with its end, status text and opaque with the head', async () => {
    const url = await listen((_request, response) => {
      response.writeHead(200, 'Fine', { trailer: 'x-sum' })
      response.write('body')
      response.addTrailers({ 'x-sum': '4' })
      response.end()
    })
    const opaque = { mine: 1 }
    const response = await pool.request(url, { opaque })
    expect(response).toMatchObject({ statusText: 'Fine', opaque })
    for (const option of ['opaque', 'highWaterMark']) {
      await expect(pool.json(url, { [option]: 1 })).rejects.toMatchObject({ option })
    }
    expect(await response.body.text()).toBe('body')
    expect(response.trailers).toEqual({ 'x-sum': '4' })
  })

  test('what has come before it is thrown away does not count', async () => {
    const size = 200_000
    const url = await listen((_request, response) => response.end(Buffer.alloc(size)))
    const { body } = await pool.request(url, { highWaterMark: 1 })
    await body.dump({ limit: size - 1 })
    expect(pool.stats()).toMatchObject({ pending: 0, open: 1 })
  })

  test('informational responses before the head are no response', async () => {
    const url = await listen((_request, response) => {
      response.writeProcessing()
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.end('final')
    })
    const { statusCode, headers, body } = await pool.request(url)
    expect([statusCode, headers.link, await body.text()]).toEqual([200, undefined, 'final'])
  })

  test.each([
    ['GET', 204, 1],
    ['GET', 304, 1],
    // undici closes the connection, as there are servers that send a body.
    ['HEAD', 200, 3],
  ] as const)('%s %d has none', async (method, status, created) => {
    const url = await listen((_request, response) => {
      response.writeHead(status, status === 200 ? { 'content-length': 1_000 } : {})
      response.end()
    })
    for (let i = 0; i < 3; i++) {
      const { statusCode, body } = await pool.request(url, { method })
      expect([statusCode, await body.text()]).toEqual([status, ''])
    }
    expect(pool.stats()).toMatchObject({ created, reused: 3 - created, pending: 0 })
  })

  test('one that ends with its connection is whole', async () => {
    const url = await listen((_request, response) => {
      response.shouldKeepAlive = false
      response.useChunkedEncodingByDefault = false
      response.end('until the end')
    })
    for (let i = 0; i < 2; i++) {
      expect(await (await pool.request(url)).body.text()).toBe('until the end')
    }
    await expect.poll(() => pool.stats()).toMatchObject({ created: 2, failures: 0, open: 0 })
  })
})
