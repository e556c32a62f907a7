import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpLimit, type HttpLimitOptions, type HttpVerdict } from './http-limit.ts'

/** Middleware of node:http, Connect and Express. */
export type NodeMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => Promise<boolean>

/**
 * Limits requests of node:http and of what is built on it: `app.use(nodeRateLimit(options))` in Express, or
 * `if (!(await limit(request, response))) return` in a plain server.
 *
 * @returns whether the request may go on; if not, it has been answered
 */
export function nodeRateLimit(options: HttpLimitOptions<IncomingMessage>): NodeMiddleware {
  const limit = new HttpLimit(options)
  return async (request, response, next) => {
    let verdict: HttpVerdict
    try {
      verdict = await limit.check(request, {
        remoteAddress: request.socket.remoteAddress,
        forwardedFor: joined(request.headers['x-forwarded-for']),
      })
      for (const [name, value] of Object.entries(verdict.headers)) response.setHeader(name, value)
    } catch (error) {
      if (next === undefined) throw error
      next(error)
      return false
    }
    if (verdict.pass) {
      // Outside the try: what follows must not be called a second time with its own error.
      next?.()
      return true
    }
    response.statusCode = verdict.status
    response.end(verdict.body)
    return false
  }
}

/** What is used of Fastify's request. */
export interface FastifyRequestLike {
  readonly raw: IncomingMessage
}

/** What is used of Fastify's reply. */
export interface FastifyReplyLike {
  headers(values: Record<string, string>): unknown
  code(status: number): { send(body: string): unknown }
}

/** Limits requests of Fastify: `app.addHook('onRequest', fastifyRateLimit(options))`. */
export function fastifyRateLimit<Request extends FastifyRequestLike>(
  options: HttpLimitOptions<Request>,
): (request: Request, reply: FastifyReplyLike) => Promise<unknown> {
  const limit = new HttpLimit(options)
  return async (request, reply) => {
    const { socket, headers } = request.raw
    const verdict = await limit.check(request, {
      remoteAddress: socket.remoteAddress,
      forwardedFor: joined(headers['x-forwarded-for']),
    })
    reply.headers({ ...verdict.headers })
    if (verdict.pass) return undefined
    reply.code(verdict.status).send(verdict.body)
    return reply
  }
}

/** What is used of Hono's context; `env.incoming` is there under `@hono/node-server`. */
export interface HonoContextLike {
  readonly req: { header(name: string): string | undefined }
  readonly env: unknown
  header(name: string, value: string): void
  body(body: string, status: number, headers: Record<string, string>): Response
}

/** Limits requests of Hono: `app.use(honoRateLimit(options))`. */
export function honoRateLimit<Context extends HonoContextLike>(
  options: HttpLimitOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<Response | undefined> {
  const limit = new HttpLimit(options)
  return async (context, next) => {
    const env = context.env as { incoming?: IncomingMessage } | undefined
    const verdict = await limit.check(context, {
      remoteAddress: env?.incoming?.socket.remoteAddress,
      forwardedFor: context.req.header('x-forwarded-for'),
    })
    if (!verdict.pass) return context.body(verdict.body, verdict.status, { ...verdict.headers })
    for (const [name, value] of Object.entries(verdict.headers)) context.header(name, value)
    await next()
    return undefined
  }
}

/** Several fields of one name are one list (RFC 9110, section 5.3). */
function joined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}
