import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { factsOf, settleAfter } from './adapters.ts'
import { HttpLimit, type HttpLimitOptions, mergedHeader, type Refusal } from './http-limit.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Limits of this route alone; `false` exempts it from the plugin's own. */
    rateLimit?: Partial<FastifyRateLimitOptions> | false | undefined
  }
}

export type FastifyRateLimitOptions = HttpLimitOptions<FastifyRequest>

/** Options of the plugin: those of the limit of all routes that have none of their own. Without a `limiter` only these have one. */
export interface FastifyRateLimitPluginOptions extends Partial<FastifyRateLimitOptions> {}

/**
 * What Fastify's own error handler receives for a request that does not pass, with `statusCode` and the headers set already. Without a
 * handler of the application's Fastify answers with its own error body.
 */
export class RequestLimitedError extends Error {
  override readonly name = 'RequestLimitedError'
  readonly code = 'ERR_MILLRACE_LIMIT_REQUEST'
  readonly statusCode: number
  /** The problem document that other adapters answer with. */
  readonly problem: unknown

  constructor({ status, body }: Refusal) {
    super(status === 429 ? 'Too many requests' : 'The request cannot be admitted')
    this.statusCode = status
    try {
      this.problem = JSON.parse(body)
    } catch {
      // The application's own answer need not be JSON.
      this.problem = body
    }
  }
}

/** A hook of any route: it names no more of request and reply than what no schema changes. */
export type FastifyRateLimitHook = (
  request: { readonly raw: IncomingMessage },
  reply: { readonly raw: ServerResponse },
) => Promise<unknown>

/**
 * Limits requests of one route, or as a hook of a whole instance: `app.get(path, { onRequest: fastifyRateLimit(options) }, …)`. What
 * does not pass goes to Fastify's error handler as a {@link RequestLimitedError}; with `refuse`, that answers.
 */
export function fastifyRateLimit(options: FastifyRateLimitOptions): FastifyRateLimitHook {
  const limit = new HttpLimit(options)
  const answers = options.refuse !== undefined
  return async (bareRequest, bareReply) => {
    const request = bareRequest as FastifyRequest
    const reply = bareReply as FastifyReply
    const verdict = await limit.check(request, factsOf(request.raw))
    for (const [name, value] of Object.entries(verdict.headers)) {
      // The error handler's answer has a type of its own.
      if (!answers && /^content-type$/i.test(name)) continue
      const before = reply.getHeader(name)
      reply.header(name, mergedHeader(name, before === undefined ? before : `${before}`, value))
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
 * of single routes. It holds for all routes that are declared after it, in the instance that it is registered on and below.
 */
export async function fastifyRateLimits(
  app: FastifyInstance,
  options: FastifyRateLimitPluginOptions,
): Promise<void> {
  app.addHook('onRoute', route => {
    const own = route.config?.rateLimit
    if (own === false) return
    const merged = { ...options, ...own }
    if (merged.limiter === undefined) return
    const hook = fastifyRateLimit(merged as FastifyRateLimitOptions)
    const before = route.onRequest
    route.onRequest =
      before === undefined ? [hook] : [hook, ...(Array.isArray(before) ? before : [before])]
  })
}

// What fastify-plugin does: the hooks hold for the instance that registers it, not for an inner one.
Object.assign(fastifyRateLimits, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@millrace/rate-limit',
  [Symbol.for('plugin-meta')]: { fastify: '5.x', name: '@millrace/rate-limit' },
})
