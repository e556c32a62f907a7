import { describe, expect, test } from 'vitest'
import {
  type HttpPool,
  type HttpPoolOptions,
  InvalidOptionError,
  InvalidRequestError,
} from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: false, totalTimeout: 60_000 })

/** What a header cannot be, in a list of its values or alone. */
const unfit: [string, () => unknown][] = [
  ['a symbol', () => Symbol('secret')],
  ['a function', () => () => 'secret'],
  ['an object', () => ({ secret: 1 })],
  ['an object without a prototype', () => Object.create(null)],
  ['a Date', () => new Date()],
  ['bytes', () => Buffer.from('secret')],
  ['a boxed text', () => new String('secret')],
  ['a list within a list', () => [['secret']]],
  ['a text with a line break', () => 'secret\r\nb: c'],
]

const shapes: [string, (value: unknown) => unknown][] = [
  ['in an object', value => ({ a: value })],
  ['in a list of values', value => ({ a: ['1', value] })],
  ['in a flat list', value => ['a', value]],
  ['in pairs', value => [['a', value]]],
  ['in a Map', value => new Map([['a', value]])],
]

const wholes: [string, unknown][] = [
  ['a symbol', Symbol('secret')],
  ['a text', 'a: secret'],
  ['a number', 5],
  ['a function', () => ({ a: 'secret' })],
  ['a list of an odd length', ['a', 'secret', 'b']],
  ['pairs of one', [['secret']]],
  ['pairs of three', [['a', 'b', 'secret']]],
  ['a Set', new Set(['secret'])],
  ['names that are symbols', [Symbol('secret'), 'a']],
  ['names that are objects', new Map([[{}, 'secret']])],
]

const pools: [string, HttpPoolOptions][] = [
  ['plain', {}],
  ['cached', { cache: true }],
  ['coalescing', { coalesce: true }],
  ['decompressing', { decompress: true }],
  ['with a hook', { injectHeaders: headers => void (headers.b = '1'), cache: true }],
  ['with headers of its own', { headers: { b: '1' } }],
]

async function refuses(call: Promise<unknown>, part: string): Promise<void> {
  const error = await call.then(
    () => undefined,
    error => error,
  )
  expect(error).toBeInstanceOf(InvalidRequestError)
  expect(error).toMatchObject({ part })
  expect(String(error.message)).not.toContain('secret')
}

describe.each(pools)('a pool that is %s', (_name, options) => {
  test.each(unfit)('takes no header that is %s', async (_name, make) => {
    const pool = makePool(options)
    for (const [, shape] of shapes) {
      await refuses(pool.request(server.url('/'), { headers: shape(make()) as never }), 'headers')
      await refuses(pool.json(server.url('/'), { headers: shape(make()) as never }), 'headers')
      await refuses(dispatched(pool, { headers: shape(make()) }), 'headers')
    }
    expect(server.requests).toEqual([])
    expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
  })

  test.each(wholes)('takes no headers that are %s', async (_name, headers) => {
    const pool = makePool(options)
    await refuses(pool.request(server.url('/'), { headers: headers as never }), 'headers')
    await refuses(pool.json(server.url('/'), { headers: headers as never }), 'headers')
    await refuses(dispatched(pool, { headers }), 'headers')
    expect(server.requests).toEqual([])
  })

  test('sends every shape of headers alike', async () => {
    server.on('*', { body: '1' })
    const pool = makePool(options)
    for (const [, shape] of shapes) {
      await pool.json(`${server.url('/')}?${Math.random()}`, { headers: shape('2') as never })
      expect(String(server.requests.at(-1)!.headers.a)).toMatch(/^(?:1, )?2$/)
    }
    await pool.json(server.url('/'), { headers: { a: 5, c: null, d: true } as never })
    expect(server.requests.at(-1)!.headers).toMatchObject({ a: '5', d: 'true' })
    expect(server.requests.at(-1)!.headers).not.toHaveProperty('c')
  })

  test.each([2, 7])('takes no length of %d for a body of five bytes', async length => {
    const pool = makePool(options)
    const headers = { 'content-length': String(length) }
    for (const make of [() => 'abcde', () => Buffer.from('abcde')]) {
      await refuses(
        pool.request(server.url('/'), { method: 'POST', body: make(), headers }),
        'headers',
      )
    }
    expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
  })

  test('takes no origin, path or method but texts', async () => {
    const pool = makePool(options)
    const values = [Symbol('secret'), 5, 5n, {}, Object.create(null), ['secret'], undefined, null]
    for (const value of values) {
      await refuses(dispatched(pool, { origin: value }), 'url')
      await refuses(dispatched(pool, { path: value }), 'url')
      await refuses(dispatched(pool, { method: value }), 'method')
    }
    for (const origin of ['secret', 'ftp://127.0.0.1', 'data:,secret', 'blob:null']) {
      await refuses(dispatched(pool, { origin }), 'url')
    }
    expect(pool.stats()).toMatchObject({ requests: 0, pending: 0, deadlines: 0 })
  })
})

test.each([[[5]], [[Symbol('secret')]], [[{ secret: 1 }]], [['a', null]]])(
  'a body of parts that are neither texts nor bytes is refused',
  async parts => {
    const pool = makePool()
    await refuses(pool.request(server.url('/'), { body: parts as never }), 'body')
    await refuses(pool.request(server.url('/'), { body: () => parts as never }), 'body')
    expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
  },
)

test('a signal of another realm or library will do, and nothing else', async () => {
  server.on('*', { body: '1' })
  const pool = makePool()
  const { signal } = new AbortController()
  const foreign = {
    aborted: false,
    reason: undefined,
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: signal.removeEventListener.bind(signal),
    throwIfAborted: signal.throwIfAborted.bind(signal),
  } as unknown as AbortSignal
  expect(await pool.json(server.url('/'), { signal: foreign })).toBe(1)
  for (const wrong of [{}, new AbortController(), 5, Symbol('secret')]) {
    await expect(pool.json(server.url('/'), { signal: wrong as never })).rejects.toThrow(
      InvalidOptionError,
    )
  }
})

function dispatched(pool: HttpPool, options: object): Promise<void> {
  return new Promise((resolve, reject) => {
    pool.dispatcher.dispatch({ origin: server.origin, path: '/', method: 'GET', ...options }, {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd: () => resolve(),
      onResponseError: (_controller: unknown, error: Error) => reject(error),
    } as never)
  })
}
