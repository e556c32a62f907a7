import { describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions, InvalidOptionError } from '../index.ts'
import { resolvePoolOptions } from './pool-settings.ts'

function refusal(options: unknown): InvalidOptionError {
  try {
    new HttpPool(options as HttpPoolOptions)
  } catch (error) {
    if (error instanceof InvalidOptionError) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('options', () => {
  test.each<[HttpPoolOptions | Record<string, unknown>, string]>([
    [
      { totalConnections: -1 },
      'Expected `totalConnections` to be an integer of at least 1 or Infinity, got a negative integer of 1 digit',
    ],
    [
      { connectionsPerHost: 0 },
      'Expected `connectionsPerHost` to be an integer of at least 1 or Infinity, got 0',
    ],
    [
      { maxQueue: 1.5 },
      'Expected `maxQueue` to be an integer of at least 0 or Infinity, got a positive number with a fraction',
    ],
    [
      { acquireTimeout: -5 },
      'Expected `acquireTimeout` to be a number above 0 or Infinity, got a negative integer of 1 digit',
    ],
    [
      { headersTimeout: '30s' },
      'Expected `headersTimeout` to be a number above 0 or Infinity, got a string of length 3',
    ],
    [{ keepAliveTimeout: 0 }, 'Expected `keepAliveTimeout` to be a finite number above 0, got 0'],
    [
      { retry: 3 },
      'Expected `retry` to be true, false or an object of options, got a positive integer of 1 digit',
    ],
    [
      { retry: { statuses: [200] } },
      'Expected `retry.statuses` to be an array of statuses from 400 to 599, got an array of length 1',
    ],
    [
      { retry: { methods: ['get'] } },
      'Expected `retry.methods` to be an array of upper-case method names, got an array of length 1',
    ],
    [
      { retry: { maxAttempts: 0 } },
      'Expected `retry.maxAttempts` to be an integer of at least 1 or Infinity, got 0',
    ],
    [
      { retry: { attempts: 3 } },
      'Expected `retry.attempts` to be absent, as there is no such option, got a positive integer of 1 digit',
    ],
    [
      { clock: 3 },
      'Expected `clock` to be a clock, with a method `now`, got a positive integer of 1 digit',
    ],
    [
      { clock: { now: () => 0 } },
      'Expected `clock` to be a clock, with a method `setTimer`, got an object',
    ],
    [
      { origins: ['http://a.test'] },
      'Expected `origins` to be an object, got an array of length 1',
    ],
    [
      { origins: { 'ftp://a.test': {} } },
      'Expected `origins` to be keyed by origins such as "https://example.com", got a string of length 12',
    ],
    [
      { cache: { credentials: 'x-api-key' } },
      'Expected `cache.credentials` to be a list of names of headers, got a string of length 9',
    ],
    [
      { conectionsPerHost: 3 },
      'Expected `conectionsPerHost` to be absent, as there is no such option (did you mean `connectionsPerHost`?), got a positive integer of 1 digit',
    ],
    [
      { origins: { 'example.com': {} } },
      'Expected `origins` to be keyed by origins such as "https://example.com", got a string of length 11',
    ],
    [
      { origins: { 'http://example.com': { connectionsPerHost: 0 } } },
      'Expected `origins["http://example.com"].connectionsPerHost` to be an integer of at least 1 or Infinity, got 0',
    ],
    [
      { retry: { maxDelay: Infinity } },
      'Expected `retry.maxDelay` to be a finite number of at least 0, got Infinity',
    ],
    [
      { hedge: { delay: Infinity } },
      'Expected `hedge.delay` to be a finite number of at least 0, got Infinity',
    ],
    [
      { breaker: { cooldown: 0 } },
      'Expected `breaker.cooldown` to be a finite number above 0, got 0',
    ],
    [
      { throttle: { window: Infinity } },
      'Expected `throttle.window` to be a finite number of at least 1, got Infinity',
    ],
    // Divided into buckets it would be 0.
    [
      { throttle: { window: Number.MIN_VALUE } },
      'Expected `throttle.window` to be a finite number of at least 1, got a positive number with a fraction',
    ],
    [
      { breaker: { window: Number.MIN_VALUE } },
      'Expected `breaker.window` to be a finite number of at least 1, got a positive number with a fraction',
    ],
    [{ allowH2: 1 }, 'Expected `allowH2` to be true or false, got a positive integer of 1 digit'],
    [{ lookup: 'dns' }, 'Expected `lookup` to be a function, got a string of length 3'],
    // Of none of these is anything a property.
    [
      { headers: new Headers({ 'x-a': 'secret' }) },
      'Expected `headers` to be an object of names and values, got an object',
    ],
    [
      { headers: new Map([['x-a', 'secret']]) },
      'Expected `headers` to be an object of names and values, got an object',
    ],
    [{ origins: new Map() }, 'Expected `origins` to be an object, got an object'],
    [new Map() as never, 'Expected `options` to be a plain object of options, got an object'],
    [{ retry: new Date() }, 'Expected `retry` to be a plain object of options, got an object'],
    [
      { cache: Promise.resolve({}) },
      'Expected `cache` to be a plain object of options, got an object',
    ],
  ])('%j', (options, message) => {
    const error = refusal(options)
    expect(error.message).toBe(message)
    expect(error).toMatchObject({
      name: 'InvalidOptionError',
      code: 'ERR_MILLRACE_INVALID_OPTION',
    })
  })

  test('of an origin that are undefined are those of the pool', () => {
    const origins = { 'http://a.test': { connectTimeout: undefined, connectionsPerHost: 3 } }
    const { origins: resolved } = resolvePoolOptions({
      connectTimeout: 5,
      connectionsPerHost: 2,
      origins,
    })
    expect(resolved.get('http://a.test')).toMatchObject({
      connectTimeout: 5,
      connectionsPerHost: 3,
    })
  })

  test('of a call are checked as well, before anything is sent', async () => {
    const pool = new HttpPool()
    await expect(pool.request('http://127.0.0.1:1/', { totalTimeout: -1 })).rejects.toMatchObject({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'totalTimeout',
    })
    await expect(
      pool.request('http://127.0.0.1:1/', { maxRedirects: Number.NaN }),
    ).rejects.toMatchObject({ option: 'maxRedirects' })
    for (const highWaterMark of [-1, 0, 1.5, '1' as never]) {
      await expect(pool.request('http://127.0.0.1:1/', { highWaterMark })).rejects.toMatchObject({
        option: 'highWaterMark',
      })
    }
    await expect(
      pool.request('http://127.0.0.1:1/', { signal: {} as AbortSignal }),
    ).rejects.toMatchObject({ option: 'signal' })
    expect(pool.stats().requests).toBe(0)
  })
})

describe('requests', () => {
  test.each<[string, Parameters<HttpPool['request']>[1], string]>([
    ['/relative', {}, 'url'],
    ['ftp://example.com/', {}, 'url'],
    ['http://user:secret@example.com/', {}, 'url'],
    ['http://127.0.0.1:1/', { headers: { 'x-a': 'b\r\nx-c: d' } }, 'headers'],
    ['http://127.0.0.1:1/', { headers: { 'x a': 'b' } }, 'headers'],
    ['http://127.0.0.1:1/', { headers: ['odd'] }, 'headers'],
    ['http://127.0.0.1:1/', { method: 'GET / HTTP/1.1\r\nx: y' }, 'method'],
    ['http://127.0.0.1:1/', { method: 'POST', body: 12 as never }, 'body'],
    ['http://127.0.0.1:1/', { body: 'text', json: 1 }, 'body'],
    ['http://127.0.0.1:1/', { method: 'CONNECT' }, 'method'],
    ['http://127.0.0.1:1/', { method: 5 as never }, 'method'],
    ['http://127.0.0.1:1/', { headers: { upgrade: 'websocket' } }, 'headers'],
    ['http://127.0.0.1:1/', { headers: { expect: '100-continue' } }, 'headers'],
    ['http://127.0.0.1:1/', { query: 'a=b' as never }, 'url'],
    ['http://127.0.0.1:1/', { query: { a: { b: 1 } } as never }, 'url'],
  ])('%s %j is refused', async (url, options, part) => {
    const pool = new HttpPool()
    const error = await pool.request(url, options).catch(reason => reason)
    expect(error).toMatchObject({ code: 'ERR_MILLRACE_INVALID_REQUEST', part })
    expect(error.message).not.toContain('secret')
    expect(pool.stats()).toMatchObject({ created: 0, pending: 0, deadlines: 0 })
    await pool.close()
  })
})
