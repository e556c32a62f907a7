import { defined } from '@millrace/kit'
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawServerBase,
  RouteGenericInterface,
} from 'fastify'
import {
  type Awaitable,
  HttpLimit,
  type HttpLimitOptions,
  type Limits,
  mergedHeader,
  type Refusal,
} from './http-limit.ts'
import { factsOf, type NodeRequestLike, settleAfter } from './node-message.ts'
import type { SeenLimitOptions, SeenRequest } from './seen-request.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Limits of this route alone; `false` exempts it from the plugin's own. */
    rateLimit?: FastifyRouteLimitOptions | false | undefined
  }
}

/** What requests of all servers (HTTP, HTTPS, HTTP/2), routes, schemas and type providers have in common. */
export type AnyFastifyRequest = FastifyRequest<RouteGenericInterface, RawServerBase>

export type FastifyRateLimitOptions = HttpLimitOptions<AnyFastifyRequest>

/** A function of one route's requests. It may name their types, as the handler does: `(request: FastifyRequest<{ Params: … }>) => …`. */
export type OfRoute<T> = { of(request: AnyFastifyRequest): Awaitable<T> }['of']

/** Options of one route, in its `config`; those that are left out are the plugin's. */
export interface FastifyRouteLimitOptions
  extends Partial<Omit<FastifyRateLimitOptions, 'limiter' | 'key' | 'cost' | 'skip' | 'refuse'>> {
  /** The limiter of the route, or of each of its requests; undefined lets one pass uncounted. Default: that of the plugin, if it has one */
  readonly limiter?: Limits | OfRoute<Limits | undefined> | undefined
  /** Whom a request counts for; undefined lets it pass uncounted. Default: that of the plugin, if it has one */
  readonly key?: OfRoute<string | undefined> | undefined
  /** What a request costs. Default: that of the plugin, if it has one */
  readonly cost?: number | OfRoute<number> | undefined
  /** Which requests pass uncounted. Default: that of the plugin, if it has one */
  readonly skip?: OfRoute<boolean> | undefined
  /** What is answered to a refused request. Default: that of the plugin, if it has one */
  readonly refuse?:
    | { of(refusal: Refusal, request: AnyFastifyRequest): Awaitable<Refusal> }['of']
    | undefined
}

/**
 * Options of the plugin: those of the limit of all routes that have none of their own. Without a `limiter` only these have one. Its
 * functions may name the types of requests as those of routes do, and are called for all routes whatever they say.
 */
export interface FastifyRateLimitPluginOptions extends FastifyRouteLimitOptions {}

/**
 * What Fastify's own error handler receives for a request that does not pass, with `statusCode` and the headers set already. Without a
 * handler of the application's Fastify answers with its own error body.
 */
export class RequestLimitedError extends Error {
  override readonly name = 'RequestLimitedError'
  readonly code = 'ERR_MILLRACE_LIMIT_REQUEST'
  readonly statusCode: number
  /** As `statusCode`: with {@link expose} what other error handlers know an error of HTTP by, such as Nest's. */
  readonly status: number
  /** That clients may read the message. */
  readonly expose: boolean = true
  /** The problem document that other adapters answer with. */
  readonly problem: unknown

  constructor({ status, body }: Refusal) {
    super(status === 429 ? 'Too many requests' : 'The request cannot be admitted')
    this.statusCode = this.status = status
    try {
      this.problem = JSON.parse(body)
    } catch {
      // The application's own answer need not be JSON.
      this.problem = body
    }
  }
}

/** A hook of every server and route, unless its options name the types of one. */
export type FastifyRateLimitHook<Request = unknown, Named = unknown> = (
  request: SeenRequest<Request, AnyFastifyRequest> &
    NoInfer<Named> & { readonly raw: NodeRequestLike },
  reply: { readonly raw: unknown },
) => Promise<unknown>

/**
 * Limits requests of one route, or as a hook of a whole instance: `app.get(path, { onRequest: fastifyRateLimit(options) }, …)`. What
 * does not pass goes to Fastify's error handler as a {@link RequestLimitedError}; with `refuse`, that answers.
 *
 * Functions of the options know the types that the route is given: `app.get<{ Params: … }>(…)`. Where a type provider finds them by the
 * schema, say what is used of them: `key: ({ params }: { params: { id: string } }) => params.id`.
 */
export function fastifyRateLimit<
  Request = unknown,
  Keyed = unknown,
  Priced = unknown,
  Skipped = unknown,
  Refused = unknown,
>(
  options: SeenLimitOptions<AnyFastifyRequest, Request, Keyed, Priced, Skipped, Refused>,
): FastifyRateLimitHook<Request, Keyed & Priced & Skipped & Refused> {
  const limit = new HttpLimit(options as HttpLimitOptions<AnyFastifyRequest>)
  const answers = options.refuse !== undefined
  return async (bareRequest, bareReply) => {
    const request = bareRequest as unknown as AnyFastifyRequest
    const reply = bareReply as FastifyReply
    const verdict = await limit.check(request, factsOf(request.raw))
    for (const [name, value] of Object.entries(verdict.headers)) {
      // The error handler's answer has a type of its own.
      if (!answers && /^content-type$/i.test(name)) continue
      reply.header(name, mergedHeader(name, reply.getHeader(name), value))
    }
    if (verdict.pass) {
      settleAfter(reply.raw, verdict.settle)
      return undefined
    }
    if (!answers) throw new RequestLimitedError(verdict)
    return reply.code(verdict.status).send(verdict.body)
  }
}

/**
 * The plugin: `app.register(fastifyRateLimits, { limiter })`, then `config: { rateLimit: { limiter: strict } }` or `rateLimit: false`
 * of single routes. It holds for all routes of the instance that it is registered on, and below: those that are declared after it is
 * loaded, which `await app.register(…)` sees to, are limited after the hooks of their instance, the others among these.
 */
export async function fastifyRateLimits(
  app: Pick<FastifyInstance, 'addHook'>,
  options: FastifyRateLimitPluginOptions,
): Promise<void> {
  const seen = Symbol('limited by this plugin')
  app.addHook('onRoute', route => {
    const hook = hookOf(options, route.config?.rateLimit)
    if (hook === undefined) return
    const before = route.onRequest
    route.onRequest =
      before === undefined ? [hook] : [hook, ...(Array.isArray(before) ? before : [before])]
    route.config = Object.assign({}, route.config, { [seen]: true })
  })
  // Routes that were declared before the plugin was loaded, as they are where its registration is not awaited.
  const hooks = new WeakMap<object, FastifyRateLimitHook<AnyFastifyRequest> | undefined>()
  app.addHook('onRequest', async (request, reply) => {
    const { config } = request.routeOptions
    if (request.is404 || seen in config) return undefined
    if (!hooks.has(config)) hooks.set(config, hookOf(options, config.rateLimit))
    return hooks.get(config)?.(request as AnyFastifyRequest, reply)
  })
}

/** The limit of a route, if it has one. */
function hookOf(
  options: FastifyRateLimitPluginOptions,
  own: FastifyRouteLimitOptions | false | undefined,
): FastifyRateLimitHook<AnyFastifyRequest> | undefined {
  if (own === false) return undefined
  const merged = { ...options, ...(own && defined(own)) }
  if (merged.limiter === undefined) return undefined
  return fastifyRateLimit<AnyFastifyRequest>(merged as FastifyRateLimitOptions)
}

// What fastify-plugin does: the hooks hold for the instance that registers it, not for an inner one.
Object.assign(fastifyRateLimits, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@millrace/rate-limit',
  [Symbol.for('plugin-meta')]: { fastify: '5.x', name: '@millrace/rate-limit' },
})
