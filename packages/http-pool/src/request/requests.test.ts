import { Readable } from 'node:stream'
import { FormData as UndiciFormData } from 'undici'
import { beforeEach, describe, expect, test } from 'vitest'
import type { HttpPool, RequestBody, RequestOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

let pool: HttpPool
const makePool = useUpstream({ retry: { baseDelay: 0 } })

beforeEach(() => {
  server.on('*', { body: 'ok' })
  pool = makePool()
})

/** The request as the server got it. */
async function sent(options: RequestOptions, path = '/') {
  const { body } = await pool.request(server.url(path), options)
  await body.dump()
  const { method, url, headers, body: received } = server.requests.at(-1)!
  return { method, url, type: headers['content-type'], body: received.toString() }
}

describe('bodies', () => {
  async function* chunks() {
    yield 'a='
    yield Buffer.from('1')
  }
  const bytes = Buffer.from('a=1')
  const form = 'application/x-www-form-urlencoded;charset=UTF-8'

  test.each<[string, () => RequestBody, string | undefined]>([
    ['a string', () => 'a=1', undefined],
    ['bytes', () => bytes, undefined],
    ['an ArrayBuffer', () => new Uint8Array(bytes).buffer, undefined],
    ['a Blob', () => new Blob(['a=1']), undefined],
    ['a Blob of some type', () => new Blob(['a=1'], { type: 'text/css' }), 'text/css'],
    ['URLSearchParams', () => new URLSearchParams({ a: '1' }), form],
    ['a Readable', () => Readable.from([bytes]), undefined],
    ['a ReadableStream', () => new Blob(['a=1']).stream(), undefined],
    ['an async iterable', chunks, undefined],
    ['a function', () => () => new URLSearchParams({ a: '1' }), form],
  ])('%s', async (_name, makeBody, type) => {
    expect(await sent({ body: makeBody() })).toEqual({
      method: 'POST',
      url: '/',
      type,
      body: 'a=1',
    })
    const own = await sent({ body: makeBody(), headers: { 'Content-Type': 'text/own' } })
    expect(own.type).toBe('text/own')
  })

  test.each([
    ['Node’s FormData', () => new FormData()],
    ['undici’s FormData', () => new UndiciFormData()],
  ])('%s, sent again as a whole', async (_name, makeForm) => {
    const body = makeForm()
    body.append('name', 'Ada')
    body.append('file', new Blob(['content'], { type: 'text/plain' }), 'a.txt')
    server.on('/', 503, 200)
    await sent({ body, retry: true })
    expect(server.requests).toHaveLength(2)
    for (const request of server.requests) {
      const { headers } = request
      const received = await new Response(new Uint8Array(request.body), {
        headers: { 'content-type': headers['content-type']! },
      }).formData()
      expect(received.get('name')).toBe('Ada')
      const file = received.get('file') as File
      expect([file.name, file.type, await file.text()]).toEqual(['a.txt', 'text/plain', 'content'])
    }
  })

  test('a value as JSON', async () => {
    const type = 'application/json'
    expect(await sent({ json: { a: [1] } })).toMatchObject({
      method: 'POST',
      type,
      body: '{"a":[1]}',
    })
    expect(await sent({ json: null, method: 'PUT' })).toMatchObject({ method: 'PUT', body: 'null' })
    expect(await sent({ json: 0, headers: [['content-type', 'a/b']] })).toMatchObject({
      type: 'a/b',
      body: '0',
    })
  })

  test.each([() => {}, Symbol('s')])('what JSON has no form for is refused: %s', async json => {
    await expect(pool.request(server.url('/'), { json })).rejects.toMatchObject({
      code: 'ERR_MILLRACE_INVALID_REQUEST',
      part: 'body',
      message: `JSON has no form for a value of type ${typeof json}`,
    })
    expect(server.stats().accepted).toBe(0)
  })

  test('what is no body is refused before anything is sent', async () => {
    for (const body of [{ a: 1 }, 42] as never[]) {
      await expect(pool.request(server.url('/'), { body })).rejects.toMatchObject({
        code: 'ERR_MILLRACE_INVALID_REQUEST',
        part: 'body',
      })
    }
    expect(server.requests).toHaveLength(0)
  })
})

describe('what has no form is refused before anything is sent', () => {
  const circular: Record<string, unknown> = {}
  circular.self = circular

  test.each<[string, unknown, string]>([
    ['a BigInt as JSON', { json: 1n }, 'body'],
    ['a circular object as JSON', { json: circular }, 'body'],
    ['a promise as JSON', { json: Promise.resolve(1) }, 'body'],
    ['a promise as a body', { body: Promise.resolve('late') }, 'body'],
    [
      'a body from a function that waits',
      { body: () => Promise.reject(new Error('late')) },
      'body',
    ],
    ['a symbol in a query', { query: { a: Symbol('b') } }, 'url'],
    ['a function in a query', { query: { a: () => 1 } }, 'url'],
  ])('%s', async (_name, options, part) => {
    const method = 'PUT'
    for (const ask of [pool.request, pool.json] as (typeof pool.json)[]) {
      const result = ask.call(pool, server.url('/'), { method, ...(options as RequestOptions) })
      await expect(result).rejects.toMatchObject({ code: 'ERR_MILLRACE_INVALID_REQUEST', part })
    }
    // A rejection that none had taken would end the process here.
    await new Promise(setImmediate)
    expect(server.requests).toHaveLength(0)
  })

  test('options that are none', async () => {
    const invalid = { code: 'ERR_MILLRACE_INVALID_OPTION', option: 'options' }
    await expect(pool.request(server.url('/'), null as never)).rejects.toMatchObject(invalid)
    await expect(pool.json(server.url('/'), null as never)).rejects.toMatchObject(invalid)
    await expect(pool.pages(server.url('/'), null as never).next()).rejects.toMatchObject(invalid)
  })

  test('an error of a toJSON stays what it is', async () => {
    const json = {
      toJSON() {
        throw new RangeError('no form today')
      },
    }
    await expect(pool.request(server.url('/'), { json })).rejects.toThrow(RangeError)
  })
})

describe('methods', () => {
  test.each(['get', 'Patch', 'delete', 'query'])('%s is sent in capitals', async method => {
    expect((await sent({ method: method as 'GET' })).method).toBe(method.toUpperCase())
  })
})

describe('query', () => {
  test.each<[RequestOptions['query'], string]>([
    [{ y: [1, 2], z: 'a b', t: true }, '/a?x=1&y=1&y=2&z=a+b&t=true'],
    [{ none: null, absent: undefined, some: [undefined, 0] }, '/a?x=1&some=0'],
    [new URLSearchParams('y=1&y=2'), '/a?x=1&y=1&y=2'],
    [{ 'a&b': '=?#' }, '/a?x=1&a%26b=%3D%3F%23'],
    [{}, '/a?x=1'],
  ])('%j is added to that of the URL', async (query, expected) => {
    expect((await sent({ query: query! }, '/a?x=1#fragment')).url).toBe(expected)
  })

  test('and headers are taken as an interface types them', async () => {
    interface Page {
      readonly page: number
      readonly size?: number
    }
    interface Own {
      readonly 'x-own': string
    }
    const query: Page = { page: 2 }
    const headers: Own = { 'x-own': 'a' }
    expect((await sent({ query, headers }, '/a')).url).toBe('/a?page=2')
    expect(server.requests.at(-1)!.headers['x-own']).toBe('a')
  })

  test('leaves a URL that is an object as it was', async () => {
    const url = new URL(server.url('/a'))
    await (await pool.request(url, { query: { b: 1 } })).body.dump()
    expect([url.search, server.requests[0]!.url]).toEqual(['', '/a?b=1'])
  })
})

test.each(['timeout', 'searchParams', 'totalTimeOut', 'dispatcher'])(
  'an option that a call does not have is refused: %s',
  async name => {
    const options = { [name]: 1 } as RequestOptions
    for (const call of [
      pool.request(server.url('/'), options),
      pool.json(server.url('/'), options),
    ]) {
      await expect(call).rejects.toMatchObject({
        code: 'ERR_MILLRACE_INVALID_OPTION',
        option: name,
        expected: expect.stringMatching(/^absent, as there is no such option/),
      })
    }
    expect(server.stats().accepted).toBe(0)
  },
)
