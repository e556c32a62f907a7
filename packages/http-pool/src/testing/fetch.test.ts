import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { FormData as UndiciFormData, Request as UndiciRequest } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpPool } from '../index.ts'

const server = createServer(async (request, response) => {
  const url = new URL(request.url!, 'http://localhost')
  if (url.pathname === '/hop') {
    const left = Number(url.searchParams.get('n'))
    setTimeout(() => {
      response.writeHead(302, { location: left === 0 ? '/end' : `/hop?n=${left - 1}` }).end()
    }, 40)
    return
  }
  if (url.pathname === '/bomb') {
    response.setHeader('content-encoding', 'gzip')
    response.end(gzipSync(Buffer.alloc(1_000_000)))
    return
  }
  if (url.pathname === '/large') {
    response.end(Buffer.alloc(100_000))
    return
  }
  let body = ''
  for await (const chunk of request) body += chunk
  response.setHeader('x-method', request.method!)
  response.setHeader('x-type', request.headers['content-type'] ?? '')
  response.setHeader('x-given', String(request.headers['x-given'] ?? ''))
  response.end(body)
})
let url: string

beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

describe("takes the platform's own", () => {
  test('FormData, with its files', async () => {
    await using pool = new HttpPool()
    const form = new FormData()
    form.append('file', new Blob(['important']), 'x.txt')
    const response = await pool.fetch(url, { method: 'POST', body: form })
    expect(response.headers.get('x-type')).toMatch(/^multipart\/form-data; boundary=/)
    expect(await response.text()).toContain('important')
  })

  test('Request, Headers, Blob and ReadableStream', async () => {
    await using pool = new HttpPool()
    const headers = new Headers({ 'x-given': 'yes' })
    const request = new Request(`${url}/a`, { method: 'PUT', headers, body: new Blob(['blob']) })
    const response = await pool.fetch(request)
    expect([response.headers.get('x-method'), response.headers.get('x-given')]).toEqual([
      'PUT',
      'yes',
    ])
    expect(await response.text()).toBe('blob')
    const body = ReadableStream.from([new TextEncoder().encode('streamed')])
    const streamed = await pool.fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(await streamed.text()).toBe('streamed')
  })

  test('and gives its Response', async () => {
    await using pool = new HttpPool()
    const response = await pool.fetch(url)
    expect(response).toBeInstanceOf(Response)
    expect(response.headers).toBeInstanceOf(Headers)
    expect(pool.stats().requests).toBe(1)
  })
})

test("takes undici's own classes too", async () => {
  await using pool = new HttpPool()
  const form = new UndiciFormData()
  form.append('a', 'b')
  const posted = await pool.fetch(url, { method: 'POST', body: form as never })
  expect(await posted.text()).toContain('name="a"')
  const response = await pool.fetch(new UndiciRequest(`${url}/x`) as never)
  expect(response.status).toBe(200)
})

test.each<[string, string | URL, RequestInit]>([
  ['URL with credentials', 'http://user:secret@127.0.0.1/', {}],
  ['URL object with credentials', new URL('http://user:secret@127.0.0.1/'), {}],
  ['URL that is none', 'http://user:secret@[bad/secret?secret', {}],
  ['value of a header', 'http://127.0.0.1/', { headers: { a: 'secret\nsecret' } }],
  ['name of a header', 'http://127.0.0.1/', { headers: [['secret secret', 'b']] }],
])('a %s is refused, and not quoted', async (_name, input, init) => {
  await using pool = new HttpPool()
  const error = await pool.fetch(input, init).catch(reason => reason)
  expect(error).toBeInstanceOf(TypeError)
  expect(error.name).toBe('TypeError')
  expect(error.cause.code).toBe('ERR_MILLRACE_INVALID_REQUEST')
  expect(inspect(error)).not.toContain('secret')
})

test.each<[string, () => RequestInit]>([
  [
    'a Request',
    () =>
      new Request('http://other.test/', { method: 'PUT', body: 'b', headers: { 'x-given': '1' } }),
  ],
  [
    'an object that inherits',
    () => Object.create({ method: 'PUT', body: 'b', headers: { 'x-given': '1' } }) as RequestInit,
  ],
  [
    'getters of a class',
    () =>
      new (class {
        get method() {
          return 'PUT'
        }
        get body() {
          return 'b'
        }
        get headers() {
          return { 'x-given': '1' }
        }
      })(),
  ],
])('the members of an init are read wherever it has them: %s', async (_name, make) => {
  await using pool = new HttpPool({ totalTimeout: 30_000 })
  const answer = async (response: Response) => [
    response.headers.get('x-method'),
    response.headers.get('x-given'),
    await response.text(),
  ]
  expect(await answer(await pool.fetch(`${url}/echo`, make()))).toEqual(['PUT', '1', 'b'])
  expect(await answer(await fetch(`${url}/echo`, make()))).toEqual(['PUT', '1', 'b'])
})

test.each([null, undefined, 0, '', 'left'])(
  'an abort for the reason %j rejects with what the platform rejects with',
  async reason => {
    await using pool = new HttpPool()
    const outcome = async (ask: typeof fetch) => {
      const controller = new AbortController()
      const answer = ask(`${url}/hop?n=1`, { signal: controller.signal }).catch(error => [error])
      setImmediate(() => controller.abort(reason))
      return answer
    }
    expect(await outcome(pool.fetch.bind(pool))).toEqual(await outcome(fetch))
  },
)

test('totalTimeout holds over all redirects together', async () => {
  await using pool = new HttpPool({ totalTimeout: 150 })
  const start = performance.now()
  const error = await pool.fetch(`${url}/hop?n=20`).catch(reason => reason)
  expect(error.cause).toMatchObject({ code: 'ERR_MILLRACE_HTTP_TOTAL_TIMEOUT', timeout: 150 })
  expect(performance.now() - start).toBeGreaterThanOrEqual(149)
  // 21 hops of 40 ms, had each its own.
  expect(pool.stats().requests).toBeLessThan(6)
})

test.each([
  ['pool.fetch', (pool: HttpPool) => pool.fetch(`${url}/large`)],
  [
    "the platform's",
    (pool: HttpPool) => fetch(`${url}/large`, { dispatcher: pool.dispatcher } as object),
  ],
])('a body that fails in the turn of its head fails, with %s', async (_name, ask) => {
  for (const options of [{}, { decompress: true }, { cache: true }]) {
    await using pool = new HttpPool({ maxResponseSize: 1_000, ...options })
    const error = await (await ask(pool)).text().catch(reason => reason)
    expect(error.cause).toMatchObject({ code: 'ERR_MILLRACE_RESPONSE_TOO_LARGE', limit: 1_000 })
  }
})

test('maxResponseSize bounds the plain bytes, whoever unpacks them', async () => {
  await using pool = new HttpPool({ maxResponseSize: 10_000 })
  const response = await pool.fetch(`${url}/bomb`)
  const error = await response.text().catch(reason => reason)
  expect(error.cause ?? error).toMatchObject({ code: 'ERR_MILLRACE_RESPONSE_TOO_LARGE' })
  await using roomy = new HttpPool({ maxResponseSize: 2_000_000 })
  expect((await (await roomy.fetch(`${url}/bomb`)).bytes()).length).toBe(1_000_000)
})
