import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MemoryStore } from '@millrace/cache-core/memory'
import { runs, seededRandom } from '@millrace/testkit'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest'
import { type CachedResponses, HttpPool, type HttpPoolOptions } from '../index.ts'
import { freezeClocks, releaseClocks } from '../testing/frozen-clocks.fixture.ts'

let server: Server
let url: string
let asked: IncomingMessage[]
/** What the server says, for as long as it says nothing else. */
let headers: Record<string, string>
let body: string
let answer: { status?: number; headers?: Record<string, string>; body?: string } | undefined

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request)
    request.resume()
    const etag = headers.etag
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const isSame = etag !== undefined && request.headers['if-none-match'] === etag
    if (answer !== undefined) {
      response
        .writeHead(answer.status ?? 200, { ...headers, ...answer.headers })
        .end(answer.body ?? body)
    } else if (isSame) {
      response.writeHead(304, headers).end()
    } else if (from === undefined) {
      response.writeHead(200, headers).end(body)
    } else {
      const end = to === '' ? body.length : Math.min(Number(to) + 1, body.length)
      const range = `bytes ${from}-${end - 1}/${body.length}`
      response.writeHead(206, { ...headers, 'content-range': range })
      response.end(body.slice(Number(from), end))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a`
})

beforeEach(() => {
  asked = []
  body = '0123456789'
  headers = { 'cache-control': 'max-age=60' }
  answer = undefined
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const stores: [string, () => object][] = [
  ['undici’s memory', () => ({})],
  ['a store of cache-core', () => ({ store: new MemoryStore<CachedResponses>() })],
]

describe.each(stores)('in %s', (_name, makeStore) => {
  let pool: HttpPool

  const usePool = (cache = {}, options: HttpPoolOptions = {}) =>
    new HttpPool({ retry: false, cache: { ...cache, ...makeStore() }, ...options })

  beforeEach(() => {
    pool = usePool()
  })

  afterEach(() => pool.destroy())

  async function call(options: Parameters<HttpPool['request']>[1] = {}, from = pool) {
    const response = await from.request(url, options)
    const text = await response.body.text()
    // A response is kept after its caller has it.
    await new Promise(setImmediate)
    return {
      status: response.statusCode,
      text,
      range: response.headers['content-range'],
      ...response,
    }
  }

  const part = (range: string, more = {}) => call({ headers: { range, ...more } })

  describe('a part', () => {
    test('answers those who ask for it, or for less', async () => {
      expect(await part('bytes=2-7')).toMatchObject({ status: 206, text: '234567' })
      expect(asked).toHaveLength(1)
      for (const [range, text, content] of [
        ['bytes=2-7', '234567', 'bytes 2-7/10'],
        ['bytes=2-2', '2', 'bytes 2-2/10'],
        ['bytes=4-7', '4567', 'bytes 4-7/10'],
      ] as const) {
        const found = await part(range)
        expect(found).toMatchObject({
          status: 206,
          statusText: 'Partial Content',
          text,
          range: content,
        })
        expect(found.headers).toMatchObject({
          'cache-control': 'max-age=60',
          'content-length': String(text.length),
        })
        expect(Object.keys(found.headers)).not.toContain(':range')
      }
      expect(asked).toHaveLength(1)
    })

    test('answers nothing else', async () => {
      await part('bytes=2-7')
      const others = ['bytes=1-7', 'bytes=2-8', 'bytes=2-', 'bytes=0-0', 'bytes=20-']
      for (const [index, range] of others.entries()) {
        await part(range)
        expect(asked).toHaveLength(2 + index)
      }
      expect(await call()).toMatchObject({ status: 200, text: '0123456789' })
      expect(await part('bytes=3-4', { 'if-none-match': '"1"' })).toMatchObject({ text: '34' })
    })

    test('is no part of another body', async () => {
      headers.etag = '"1"'
      await part('bytes=2-7')
      expect(await part('bytes=2-3', { 'if-range': '"1"' })).toMatchObject({ text: '23' })
      expect(asked).toHaveLength(1)
      await part('bytes=2-3', { 'if-range': '"2"' })
      expect(asked).toHaveLength(2)
    })

    test('is as long as it came, whatever its head says', async () => {
      answer = { status: 206, headers: { 'content-range': 'bytes 4-9/10' }, body: '45678' }
      await part('bytes=-6')
      expect(await part('bytes=6-8')).toMatchObject({ text: '678', range: 'bytes 6-8/10' })
      expect(asked).toHaveLength(1)
      await part('bytes=9-9')
      expect(asked).toHaveLength(2)
    })

    test.each(['bytes 4-9/*', 'bytes 9-4/10', 'bytes 4-10/10', 'items 4-9/10', ''])(
      'of the Content-Range %j is not kept',
      async range => {
        answer = { status: 206, headers: { 'content-range': range }, body: '456789' }
        for (const times of [1, 2]) {
          expect(await part('bytes=4-9')).toMatchObject({ status: 206, text: '456789' })
          expect(asked).toHaveLength(times)
        }
      },
    )

    test('goes with the whole', async () => {
      await part('bytes=2-7')
      await call({ method: 'PUT', body: 'x' })
      body = 'abcdefghij'
      expect(await part('bytes=2-7')).toMatchObject({ text: 'cdefgh' })
    })

    test('comes after the whole, which is newer than what was kept of it', async () => {
      await part('bytes=2-7')
      body = 'abcdefghij'
      expect(await call()).toMatchObject({ text: body })
      expect(await part('bytes=2-7')).toMatchObject({ text: 'cdefgh' })
      expect(asked).toHaveLength(2)
    })

    test('that is stale is validated', async () => {
      freezeClocks()
      onTestFinished(releaseClocks)
      headers.etag = '"1"'
      await part('bytes=2-7')
      vi.setSystemTime(Date.now() + 61_000)
      expect(await part('bytes=2-3')).toMatchObject({ status: 206, text: '23' })
      expect(asked.at(-1)!.headers).toMatchObject({ 'if-none-match': '"1"', range: 'bytes=2-3' })
      vi.setSystemTime(Date.now() + 61_000)
      body = 'abcdefghij'
      headers.etag = '"2"'
      expect(await part('bytes=2-3')).toMatchObject({ status: 206, text: 'cd' })
      expect(asked).toHaveLength(3)
    })

    test('for one user goes to no other', async () => {
      await part('bytes=2-7', { cookie: 'user=1' })
      await part('bytes=2-7', { cookie: 'user=2' })
      await part('bytes=2-7', { cookie: 'user=2' })
      expect(asked).toHaveLength(2)
      headers['cache-control'] = 'private, max-age=60'
      await part('bytes=1-1')
      await part('bytes=1-1')
      expect(asked).toHaveLength(4)
    })

    test('is what fetch gets', async () => {
      const get = () => pool.fetch(url, { headers: { range: 'bytes=2-7' }, cache: 'default' })
      for (const _ of [1, 2]) {
        const response = await get()
        expect(response.status).toBe(206)
        expect(await response.text()).toBe('234567')
      }
    })

    test('is a part of what the server has, whatever was asked for before', async () => {
      const next = seededRandom(7)
      const random = (below: number) => Math.floor(next() * below)
      for (let run = 0; run < runs(200); run++) {
        const [a, b] = [random(12), random(12)].sort((x, y) => x - y) as [number, number]
        const range =
          random(5) === 0 ? undefined : random(3) === 0 ? `bytes=${a}-` : `bytes=${a}-${b}`
        if (random(10) === 0) {
          await call({ method: 'POST', body: 'x' })
          body = String(run).padStart(10, '0')
        } else if (range === undefined || a < body.length) {
          const end = range?.endsWith('-') ? body.length : b + 1
          const expected = range === undefined ? body : body.slice(a, end)
          const { status, text } = range === undefined ? await call() : await part(range)
          expect([run, status, text]).toEqual([run, range === undefined ? 200 : 206, expected])
        }
      }
      expect(asked.length).toBeLessThan(runs(200))
    })
  })

  describe('the answer to a POST', () => {
    const post = (more = {}, from = pool) => call({ method: 'POST', body: 'x', ...more }, from)

    test('that says it is what the URL holds answers GET', async () => {
      headers['content-location'] = '/a'
      body = 'made'
      const posted = await post()
      expect(posted.headers['cache-control']).toBe('max-age=60')
      body = 'other'
      expect(await call()).toMatchObject({ status: 200, text: 'made' })
      expect(asked).toHaveLength(1)
      expect((await post()).text).toBe('other')
      expect(asked).toHaveLength(2)
      expect(await call()).toMatchObject({ text: 'other' })
      expect(asked).toHaveLength(2)
    })

    test.each<[string, Record<string, string>, number?]>([
      ['names no URL', {}],
      ['names another', { 'content-location': '/b' }],
      ['names one of another origin', { 'content-location': 'http://127.0.0.1:1/a' }],
      ['is not fresh', { 'content-location': '/a', 'cache-control': 'public' }],
      ['must not be kept', { 'content-location': '/a', 'cache-control': 'no-store, max-age=60' }],
      ['is for one user', { 'content-location': '/a', 'cache-control': 'private, max-age=60' }],
      ['sets a cookie', { 'content-location': '/a', 'set-cookie': 'a=1' }],
      ['has failed', { 'content-location': '/a' }, 500],
      ['is of something made elsewhere', { 'content-location': '/a' }, 201],
    ])('that %s does not', async (_name, more, status = 200) => {
      answer = { status, headers: more, body: 'made' }
      const posted = await post()
      expect(posted).toMatchObject({ status, text: 'made' })
      expect(posted.headers).toMatchObject({ 'cache-control': 'max-age=60', ...more })
      answer = undefined
      expect(await call()).toMatchObject({ text: '0123456789' })
      expect(asked).toHaveLength(2)
    })

    test('that has failed leaves what is kept, whatever it says of itself', async () => {
      await call()
      answer = { status: 500, headers: { 'cache-control': 'no-store' }, body: 'failed' }
      expect(await post()).toMatchObject({ status: 500, text: 'failed' })
      await call()
      expect(asked).toHaveLength(2)
    })

    test('comes from the server, whatever is kept and however the request asks', async () => {
      headers['content-location'] = '/a'
      await call()
      for (const control of ['only-if-cached', 'max-stale', 'no-cache', 'no-store']) {
        expect(await post({ headers: { 'cache-control': control } })).toMatchObject({ status: 200 })
      }
      headers['cache-control'] = 'max-age=0, stale-if-error=60'
      await post()
      answer = { status: 500, body: 'failed' }
      expect(await post()).toMatchObject({ status: 500, text: 'failed' })
    })

    test('is for its user alone', async () => {
      headers['content-location'] = '/a'
      body = 'of 1'
      await post({ headers: { cookie: 'user=1' } })
      body = 'of 2'
      expect(await call({ headers: { cookie: 'user=2' } })).toMatchObject({ text: 'of 2' })
      expect(await call({ headers: { cookie: 'user=1' } })).toMatchObject({ text: 'of 1' })
    })

    test('with a stream for a body is sent once', async () => {
      headers['content-location'] = '/a'
      async function* upload() {
        yield 'a'
      }
      expect(await post({ body: upload() })).toMatchObject({ status: 200 })
      await call()
      expect(asked).toHaveLength(1)
    })
  })
})
