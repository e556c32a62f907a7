/**
 * Limits in typed applications of the real frameworks: what their functions see is what the route says, without casts. The compiler is
 * the test of the types (TypeScript 5.9 and 7, from the sources and from the packed declarations); typed-routes.test.ts runs them.
 */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { KeyedLimiter } from '@millrace/rate-limit'
import { expressRateLimit } from '@millrace/rate-limit/express'
import { fastifyRateLimit, fastifyRateLimits } from '@millrace/rate-limit/fastify'
import { honoRateLimit } from '@millrace/rate-limit/hono'
import express, { type Express, type Request, type RequestHandler } from 'express'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import {
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { type Context, Hono } from 'hono'
import Type from 'typebox'
import { z } from 'zod'

type NotAny<T> = 0 extends 1 & T ? never : T
/** Takes nothing but a string that is known as one: neither `any` nor `unknown`. */
const text = <T extends string>(value: NotAny<T>): string => value as string

const once = (name: string) => new KeyedLimiter({ rate: 0.001, burst: 1, name })

/** By default and in a variable, hooks fit every server, route and type provider. */
const anywhere = fastifyRateLimit({ limiter: new KeyedLimiter({ rate: 1_000, name: 'all' }) })
const byAddress = fastifyRateLimit({
  limiter: new KeyedLimiter({ rate: 1_000, name: 'address' }),
  key: request => text(request.ip),
})

type ById = { Params: { id: string } }
type ByTeam = { Querystring: { team: string } }

export async function plainFastify(): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(fastifyRateLimits, { skip: request => request.url === '/health' })
  app.addHook('onRequest', anywhere)
  app.addHook('onRequest', byAddress)
  app.get<ById>(
    '/params/:id',
    {
      onRequest: fastifyRateLimit({
        limiter: once('params'),
        key: request => text(request.params.id),
      }),
    },
    async request => request.params.id,
  )
  app.get<{ Querystring: { team: string } }>(
    '/query',
    {
      onRequest: [
        anywhere,
        fastifyRateLimit({ limiter: once('query'), key: request => text(request.query.team) }),
      ],
    },
    async request => request.query.team,
  )
  app.route<{ Body: { name: string; size: number }; Reply: { saved: true } }>({
    method: 'POST',
    url: '/body',
    preHandler: fastifyRateLimit({
      limiter: new KeyedLimiter({ rate: 0.001, burst: 3, name: 'body' }),
      key: request => text(request.body.name),
      cost: request => request.body.size,
    }),
    handler: async () => ({ saved: true }),
  })
  app.get<ById>(
    '/config/:id',
    {
      config: {
        rateLimit: {
          limiter: once('config'),
          key: (request: FastifyRequest<ById>) => text(request.params.id),
        },
      },
    },
    async request => request.params.id,
  )
  await app.register(async teams => {
    await teams.register(fastifyRateLimits, {
      limiter: once('plugin'),
      key: (request: FastifyRequest<ByTeam>) => text(request.query.team),
    })
    teams.get<ByTeam>('/plugin', async request => request.query.team)
  })
  app.get('/unknown/:id', {
    // @ts-expect-error what no schema and no generic has said is unknown
    onRequest: fastifyRateLimit({ limiter: once('unknown'), key: request => request.params.id }),
    handler: async () => 'never called',
  })
  return app
}

export function typeboxFastify() {
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
  app.addHook('onRequest', anywhere)
  app.addHook('onRequest', byAddress)
  const schema = {
    params: Type.Object({ id: Type.String() }),
    response: { 200: Type.Object({ id: Type.String() }) },
  }
  app.get(
    '/params/:id',
    {
      schema,
      onRequest: [
        anywhere,
        fastifyRateLimit({
          limiter: once('typebox'),
          // No more of the request than the function needs.
          key: ({ params }: { params: { id: string } }) => text(params.id),
        }),
      ],
    },
    async request => ({ id: text(request.params.id) }),
  )
  app.route({
    method: 'GET',
    url: '/least/:id',
    schema,
    onRequest: fastifyRateLimit({
      limiter: once('least'),
      key: (request: { params: { id: string }; ip: string }) =>
        `${text(request.params.id)} ${text(request.ip)}`,
    }),
    handler: async request => ({ id: text(request.params.id) }),
  })
  // Each function names what it needs, and has the whole request where it names nothing.
  app.post(
    '/parts/:id',
    { schema: { ...schema, body: Type.Object({ size: Type.Number() }) }, preHandler: parts },
    async request => ({ id: text(request.params.id) }),
  )
  // @ts-expect-error a route without the parts that a function has named
  app.get('/without', { preHandler: parts }, async () => ({ id: '' }))
  return app
}

const parts = fastifyRateLimit({
  limiter: new KeyedLimiter({ rate: 0.001, burst: 3, name: 'parts' }),
  key: ({ params }: { params: { id: string } }) => text(params.id),
  cost: ({ body }: { body: { size: number } }) => body.size,
  skip: request => text(request.headers['x-internal']?.toString() ?? '') === '1',
})

export function zodFastify() {
  const app = Fastify().withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.addHook('onRequest', anywhere)
  app.addHook('onRequest', byAddress)
  app.post(
    '/body',
    {
      schema: {
        body: z.object({ name: z.string() }),
        response: { 200: z.object({ name: z.string() }) },
      },
      preHandler: fastifyRateLimit({
        limiter: once('zod'),
        key: ({ body }: { body: { name: string } }) => text(body.name),
      }),
    },
    async request => ({ name: text(request.body.name) }),
  )
  return app
}

export async function http2Fastify() {
  const app = Fastify({ http2: true })
  app.addHook('onRequest', anywhere)
  app.addHook('onRequest', byAddress)
  await app.register(fastifyRateLimits, {
    limiter: once('plugin'),
    key: request => text(request.ip),
  })
  app.get<ById>(
    '/params/:id',
    {
      config: { rateLimit: false },
      onRequest: fastifyRateLimit({
        limiter: once('http2'),
        key: request => `${text(request.params.id)} ${text(request.raw.authority)}`,
      }),
    },
    async request => request.params.id,
  )
  app.get('/plugin', async () => 'limited by the plugin')
  return app
}

export function httpsFastify(key: string, cert: string) {
  const app = Fastify({ https: { key, cert } })
  app.addHook('onRequest', anywhere)
  app.addHook('onRequest', byAddress)
  app.get<ById>(
    '/params/:id',
    {
      onRequest: fastifyRateLimit({
        limiter: once('https'),
        key: request => text(request.params.id),
      }),
    },
    async request => request.params.id,
  )
  return app
}

export function expressApp(): Express {
  const app = express()
  app.set('env', 'test')
  app.use(
    expressRateLimit({
      limiter: new KeyedLimiter({ rate: 1_000, name: 'all' }),
      key: request => request.get('x-account') ?? request.ip,
    }),
  )
  app.get(
    '/params/:id',
    expressRateLimit({
      limiter: once('params'),
      key: (request: Request<{ id: string }>) => text(request.params.id),
    }),
    (request, response) => void response.send(text(request.params.id)),
  )
  // What is not named leaves the handler its types.
  app.get(
    '/address/:id',
    expressRateLimit({ limiter: new KeyedLimiter({ rate: 1_000 }), key: request => request.ip }),
    (request, response) => void response.send(text(request.params.id)),
  )
  const typed: RequestHandler<object, string, { name: string }> = expressRateLimit({
    limiter: once('body'),
    key: request => text(request.body.name),
  })
  app.post('/body', express.json(), typed, (_, response) => void response.send('saved'))
  const router = express.Router()
  router
    .route('/inner/:id')
    .get(
      expressRateLimit({ limiter: once('inner'), key: request => text(request.params.id) }),
      (request, response) => void response.send(text(request.params.id)),
    )
  app.use('/router', expressRateLimit({ limiter: new KeyedLimiter({ rate: 1_000 }) }), router)
  app.get(
    '/unknown/:id',
    expressRateLimit({
      limiter: once('unknown'),
      // @ts-expect-error a parameter that no route has named may be a list, or missing
      key: request => text(request.params.id),
    }),
    (_, response) => void response.send('served'),
  )
  return app
}

type Env = { Variables: { account: string } }

export function honoApp(): Hono<Env> {
  const app = new Hono<Env>()
  app.use(async (context, next) => {
    context.set('account', context.req.header('x-account') ?? 'guest')
    await next()
  })
  app.use(
    honoRateLimit({
      limiter: new KeyedLimiter({ rate: 1_000, name: 'all' }),
      key: context => text(context.req.path),
    }),
  )
  app.get(
    '/params/:id',
    honoRateLimit({
      limiter: once('params'),
      key: (context: Context<Env, '/params/:id'>) =>
        `${text(context.get('account'))} ${text(context.req.param('id'))}`,
      skip: context => text(context.req.header('x-internal') ?? '') === '1',
    }),
    context => context.text(text(context.req.param('id'))),
  )
  // What is not named leaves the handler its types.
  app.get(
    '/path/:id',
    honoRateLimit({ limiter: once('path'), key: context => context.req.param('id') }),
    context => context.text(`${text(context.req.param('id'))} ${text(context.get('account'))}`),
  )
  return app
}
