import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { selfSignedCertificate } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HttpPool, HttpPoolOptions, RequestBody, RequestOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

// What a body throws is the error of its call, whatever the call waits for: nothing of it reaches the process, which it would end.

const makePool = useUpstream({ retry: false, totalTimeout: 60_000 })

const failing = () => createReadStream('/does/not/exist')

describe('a stream that fails while its call waits', () => {
  const waits: [string, HttpPoolOptions][] = [
    ['for a connection', { totalConnections: 1 }],
    [
      'for a limiter',
      {
        limiter: { acquire: ({ signal }) => once(signal!, 'abort').then(() => undefined as never) },
      },
    ],
    ['for a lookup', { lookup: () => {} }],
    ['for what a cache knows', { totalConnections: 1, cache: true }],
    ['among coalescing calls', { totalConnections: 1, coalesce: true }],
  ]
  const shapes: [string, () => RequestBody][] = [
    ['given as it is', failing],
    ['made by a function', () => failing],
  ]

  describe.each(waits)('%s', (_name, options) => {
    test.each(shapes)('fails it at once: %s', async (_shape, body) => {
      server.on('/held', { fault: 'hang' })
      const pool = makePool(options)
      const held = pool.request(server.url('/held')).catch(error => error)
      const url = server
        .url('/')
        .replace('127.0.0.1', options.lookup ? 'upstream.test' : '127.0.0.1')
      const call = pool.request(url, { method: 'POST', body: body() })
      await expect(call).rejects.toMatchObject({ code: 'ENOENT' })
      expect(pool.stats()).toMatchObject({ queued: 0 })
      await pool.destroy()
      await held
    })
  })

  test('fails the call of an undici that is given the dispatcher', async () => {
    server.on('/held', { fault: 'hang' })
    const pool = makePool({ totalConnections: 1 })
    const held = pool.request(server.url('/held')).catch(error => error)
    const { request } = await import('undici')
    const call = request(server.url('/'), {
      dispatcher: pool.dispatcher,
      method: 'POST',
      body: failing(),
    })
    await expect(call).rejects.toMatchObject({ code: 'ENOENT' })
    await pool.destroy()
    await held
  })

  test('has failed before', async () => {
    const body = new PassThrough()
    body.on('error', () => {}).destroy(new Error('early'))
    await new Promise(setImmediate)
    const call = makePool().request(server.url('/'), { method: 'POST', body })
    await expect(call).rejects.toThrow('early')
  })
})

test.each<[string, string, object]>([
  ['a URL of another scheme', 'ftp://127.0.0.1/', {}],
  ['an unknown option', 'http://127.0.0.1/', { retries: 1 }],
  ['a header that cannot be sent', 'http://127.0.0.1/', { headers: { a: Symbol('b') }, json: {} }],
])('the stream of a call that is refused is closed, and may fail: %s', async (_name, url, rest) => {
  const body = new Readable({ read() {} })
  const closed = once(body, 'close')
  const options = { method: 'POST', body, ...rest } as RequestOptions
  await expect(makePool().request(url, options)).rejects.toMatchObject({ name: /^Invalid/ })
  await closed
  body.emit('error', new Error('late'))
})

describe('an iterable over HTTP/2', () => {
  let h2: Http2SecureServer
  let pool: HttpPool
  let url: string
  /** A request to `/early` has begun. */
  let arrived: PromiseWithResolvers<void>
  /** Has it answered, before its end. */
  let early: PromiseWithResolvers<void>
  /** It was cut off while its answer was still to come. */
  let cutOff: PromiseWithResolvers<boolean>

  beforeEach(async () => {
    cutOff = Promise.withResolvers()
    arrived = Promise.withResolvers()
    early = Promise.withResolvers()
    h2 = createSecureServer(selfSignedCertificate(), (request, response) => {
      request.resume()
      if (request.url === '/early') {
        request.stream.on('close', () => cutOff.resolve(request.stream.aborted))
        arrived.resolve()
        void early.promise.then(() => response.end('enough'))
      } else {
        request.on('end', () => response.end('ok'))
      }
    })
    await once(h2.listen(0, '127.0.0.1'), 'listening')
    url = `https://127.0.0.1:${(h2.address() as AddressInfo).port}/`
    pool = makePool({ allowH2: true, tls: { rejectUnauthorized: false } })
  })

  afterEach(async () => {
    await pool.destroy()
    h2.close()
  })

  const thrown = new Error('no parts')
  const hostile: [string, () => unknown][] = [
    [
      'is a stream that another reads',
      () => {
        const stream = new ReadableStream()
        stream.getReader()
        return stream
      },
    ],
    [
      'throws where it is asked for its iterator',
      () => ({
        [Symbol.asyncIterator]() {
          throw thrown
        },
      }),
    ],
    [
      'throws where it is asked for its iterator, and waits for nothing',
      () => ({
        [Symbol.iterator]() {
          throw thrown
        },
      }),
    ],
    ['has an iterator without `next`', () => ({ [Symbol.asyncIterator]: () => ({}) })],
    ['has no iterator', () => ({ [Symbol.asyncIterator]: () => undefined })],
    [
      'throws where it should reject',
      () => ({
        [Symbol.asyncIterator]: () => ({
          next() {
            throw thrown
          },
        }),
      }),
    ],
  ]

  test.each(hostile)('fails its own call: it %s', async (_name, make) => {
    for (const connection of ['cold', 'idle', 'busy']) {
      if (connection === 'idle') expect(await (await pool.request(url)).body.text()).toBe('ok')
      const beside = connection === 'busy' ? pool.request(url) : undefined
      const call = pool.request(url, { method: 'POST', body: make() as RequestBody })
      await expect(call).rejects.toThrow()
      if (beside !== undefined) expect(await (await beside).body.text()).toBe('ok')
    }
    expect(await (await pool.request(url)).body.text()).toBe('ok')
    expect(pool.stats()).toMatchObject({ pending: 0, queued: 0 })
  })

  test.each<[string, boolean, (controller: AbortController) => unknown]>([
    ['an abort', true, controller => controller.abort(new Error('left'))],
    ['destroy()', true, () => pool.destroy()],
    ['an answer that does not wait for its end', false, () => early.resolve()],
  ])('is released by %s', async (_name, isCutOff, end) => {
    const controller = new AbortController()
    const released = Promise.withResolvers<void>()
    async function* parts() {
      try {
        for (;;) {
          yield Buffer.alloc(10_000)
          await new Promise(setImmediate)
        }
      } finally {
        released.resolve()
      }
    }
    const { signal } = controller
    const call = pool.request(`${url}early`, { method: 'POST', body: parts(), signal })
    const ended = call.then(({ body }) => body.dump()).catch(error => error)
    await arrived.promise
    await end(controller)
    await released.promise
    await ended
    // The server does not take what it has for the whole.
    expect(await cutOff.promise).toBe(isCutOff)
  })

  test('with a part of null fails its call by a typed error', async () => {
    const body = (async function* () {
      yield null as never
    })()
    const call = pool.request(url, { method: 'POST', body })
    await expect(call).rejects.toMatchObject({ code: 'ERR_MILLRACE_INVALID_REQUEST', part: 'body' })
  })

  test('is sent whole', async () => {
    const body = ['a', Buffer.from('b')]
    expect(await (await pool.request(url, { method: 'POST', body })).body.text()).toBe('ok')
  })
})
