import { VirtualClock } from '@millrace/testkit'
import fastify, { type FastifyTypeProvider } from 'fastify'
import { describe, expect, test } from 'vitest'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import { fastifyRateLimit, fastifyRateLimits, RequestLimitedError } from './fastify-rate-limit.ts'

/** Types a reply by its schema, as TypeBox's and Zod's providers do. */
interface BySchema extends FastifyTypeProvider {
  validator: this['schema'] extends { example: infer T } ? T : unknown
  serializer: this['schema'] extends { example: infer T } ? T : unknown
}

/** On a clock that stands: what it announces is exact, however long a request takes. */
const limiter = (burst: number, name = 'api') =>
  new KeyedLimiter({ rate: 0.1, burst, name, clock: new VirtualClock() })

describe('fastifyRateLimits', () => {
  test('a default for all routes, limits of single routes, and routes without one', async () => {
    const app = fastify()
    await app.register(fastifyRateLimits, { limiter: limiter(2, 'all') })
    app.get('/a', async () => 'a')
    app.get('/b', { config: { rateLimit: { limiter: limiter(1, 'b') } } }, async () => 'b')
    app.get('/health', { config: { rateLimit: false } }, async () => 'well')
    await app.register(async inner => {
      inner.get('/inner', async () => 'inner')
    })
    const get = async (path: string) => {
      const { statusCode, headers } = await app.inject(path)
      return [statusCode, headers['ratelimit-policy']]
    }
    const all = '"all";q=2;w=20'
    expect(await get('/a')).toEqual([200, all])
    expect(await get('/inner')).toEqual([200, all])
    expect(await get('/a')).toEqual([429, all])
    expect(await get('/b')).toEqual([200, '"b";q=1;w=10'])
    expect(await get('/b')).toEqual([429, '"b";q=1;w=10'])
    for (let i = 0; i < 5; i++) expect(await get('/health')).toEqual([200, undefined])
  })

  test('what a route leaves undefined is that of the plugin', async () => {
    const app = fastify()
    await app.register(fastifyRateLimits, { limiter: limiter(2, 'all'), key: () => 'one' })
    const rateLimit = { limiter: undefined, key: undefined, cost: 2, skip: undefined }
    app.get('/dear', { config: { rateLimit } }, async () => 'dear')
    const status = async () => (await app.inject('/dear')).statusCode
    expect([await status(), await status()]).toEqual([200, 429])
  })

  test('routes that were declared before it was loaded are limited too, and each but once', async () => {
    const app = fastify()
    app.get('/first', { config: { rateLimit: { limiter: limiter(1, 'first') } } }, async () => 1)
    void app.register(fastifyRateLimits, { limiter: limiter(3, 'all') })
    app.get('/second', { config: { rateLimit: { limiter: limiter(2, 'second') } } }, async () => 2)
    app.get('/health', { config: { rateLimit: false } }, async () => 'well')
    app.get('/third', async () => 3)
    void app.register(async inner => {
      inner.get('/inner', async () => 'inner')
    })
    const get = async (path: string) => (await app.inject(path)).statusCode
    const statuses = async (...paths: string[]) => {
      const seen: number[] = []
      for (const path of paths) seen.push(await get(path))
      return seen
    }
    expect(await statuses('/first', '/first')).toEqual([200, 429])
    expect(await statuses('/second', '/second', '/second')).toEqual([200, 200, 429])
    expect(await statuses('/third', '/inner', '/third', '/inner')).toEqual([200, 200, 200, 429])
    expect(await statuses('/health', '/health', '/none', '/none')).toEqual([200, 200, 404, 404])
  })

  test('what does not count is given back, to injected requests too', async () => {
    const app = fastify()
    await app.register(fastifyRateLimits, { limiter: limiter(2), count: 'failed' })
    app.get('/right', async () => 'right')
    app.get('/wrong', (_request, reply) => reply.code(401).send('wrong'))
    const get = async (path: string) => (await app.inject(path)).statusCode
    for (let i = 0; i < 4; i++) expect(await get('/right')).toBe(200)
    for (let i = 0; i < 2; i++) expect(await get('/wrong')).toBe(401)
    expect(await get('/right')).toBe(429)
  })

  test('what is refused goes to the application’s error handler, with its headers', async () => {
    const app = fastify()
    app.setErrorHandler((error, _request, reply) => {
      expect(error).toBeInstanceOf(RequestLimitedError)
      expect(error).toMatchObject({ statusCode: 429, status: 429, expose: true })
      return reply.send({ failed: (error as RequestLimitedError).code })
    })
    await app.register(fastifyRateLimits, { limiter: limiter(1) })
    app.get('/', async () => 'served')
    await app.inject('/')
    const refused = await app.inject('/')
    expect(refused.json()).toEqual({ failed: 'ERR_MILLRACE_LIMIT_REQUEST' })
    expect(refused.headers['retry-after']).toBe('10')
  })

  test('without a handler Fastify answers by its own error', async () => {
    const app = fastify()
    app.get('/', { onRequest: fastifyRateLimit({ limiter: limiter(1) }) }, async () => 'served')
    await app.inject('/')
    const refused = await app.inject('/')
    expect(refused.statusCode).toBe(429)
    expect(refused.json()).toMatchObject({ statusCode: 429, code: 'ERR_MILLRACE_LIMIT_REQUEST' })
  })

  test('keys, routes and replies keep their types', async () => {
    const app = fastify().withTypeProvider<BySchema>()
    app.addHook('onRequest', fastifyRateLimit({ limiter: limiter(9), key: request => request.ip }))
    app.get<{ Reply: { message: string } }>(
      '/generic',
      { onRequest: fastifyRateLimit({ limiter: limiter(9) }) },
      async () => ({ message: 'hi' }),
    )
    app.get(
      '/schema',
      {
        schema: { response: { 200: { example: { message: 'hi' } } } },
        onRequest: fastifyRateLimit({ limiter: limiter(9), key: ({ ip }) => ip }),
        serializerCompiler: () => data => JSON.stringify(data),
      },
      async () => ({ message: 'hi' as const }),
    )
    // @ts-expect-error a misspelt option is no limit
    expect(() => fastifyRateLimit({ limiter: limiter(9), keys: () => 'x' })).toThrow('`key`?')
    expect((await app.inject('/generic')).json()).toEqual({ message: 'hi' })
    expect((await app.inject('/schema')).json()).toEqual({ message: 'hi' })
  })
})
