import { describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions, InvalidOptionError } from '../index.ts'

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
      'Expected `totalConnections` to be a positive integer or Infinity, got -1 (number)',
    ],
    [
      { connectionsPerHost: 0 },
      'Expected `connectionsPerHost` to be a positive integer or Infinity, got 0 (number)',
    ],
    [
      { maxQueued: 1.5 },
      'Expected `maxQueued` to be an integer, 0 or more, or Infinity, got 1.5 (number)',
    ],
    [
      { acquireTimeout: -5 },
      'Expected `acquireTimeout` to be a number of milliseconds, 0 or more, got -5 (number)',
    ],
    [
      { headersTimeout: '30s' },
      'Expected `headersTimeout` to be a number of milliseconds, 0 or more, got "30s" (string)',
    ],
    [
      { keepAliveTimeout: 0 },
      'Expected `keepAliveTimeout` to be more than 0 ms and finite, got 0 (number)',
    ],
    [{ retry: 3 }, 'Expected `retry` to be true, false or an object of options, got 3 (number)'],
    [
      { retry: { statuses: [200] } },
      'Expected `retry.statuses` to be an array of statuses from 400 to 599, got an array',
    ],
    [
      { retry: { methods: ['get'] } },
      'Expected `retry.methods` to be an array of upper-case method names, got an array',
    ],
    [
      { retry: { maxAttempts: 0 } },
      'Expected `retry.maxAttempts` to be a positive integer or Infinity, got 0 (number)',
    ],
    [
      { retry: { attempts: 3 } },
      'Expected `retry.attempts` to be absent, as there is no such option, got 3 (number)',
    ],
    [
      { conectionsPerHost: 3 },
      'Expected `conectionsPerHost` to be absent, as there is no such option, got 3 (number)',
    ],
    [
      { origins: { 'example.com': {} } },
      'Expected `origins` to be keyed by origins such as "https://example.com", got "example.com" (string)',
    ],
    [
      { origins: { 'http://example.com': { connectionsPerHost: 0 } } },
      'Expected `origins["http://example.com"].connectionsPerHost` to be a positive integer or Infinity, got 0 (number)',
    ],
    [
      { retry: { maxDelay: Number.POSITIVE_INFINITY } },
      'Expected `retry.maxDelay` to be a finite number of milliseconds, 0 or more, got Infinity (number)',
    ],
    [
      { hedge: { delay: Number.POSITIVE_INFINITY } },
      'Expected `hedge.delay` to be a finite number of milliseconds, 0 or more, got Infinity (number)',
    ],
    [
      { breaker: { openFor: 0 } },
      'Expected `breaker.openFor` to be more than 0 ms and finite, got 0 (number)',
    ],
    [
      { throttle: { window: Number.POSITIVE_INFINITY } },
      'Expected `throttle.window` to be more than 0 ms and finite, got Infinity (number)',
    ],
    [{ allowH2: 1 }, 'Expected `allowH2` to be true or false, got 1 (number)'],
    [{ lookup: 'dns' }, 'Expected `lookup` to be a function, got "dns" (string)'],
  ])('%j', (options, message) => {
    const error = refusal(options)
    expect(error.message).toBe(message)
    expect(error).toMatchObject({
      name: 'InvalidOptionError',
      code: 'ERR_MILLRACE_INVALID_OPTION',
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
