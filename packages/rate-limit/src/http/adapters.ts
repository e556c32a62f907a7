import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpLimit, type HttpLimitOptions, type HttpVerdict, mergedHeader } from './http-limit.ts'

/** Middleware of node:http, Connect and Express. */
export type NodeMiddleware<Request = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => Promise<boolean>

/**
 * Limits requests of node:http and of what is built on it: `app.use(nodeRateLimit(options))` in Express, or
 * `if (!(await limit(request, response))) return` in a plain server.
 *
 * @returns whether the request may go on; if not, it has been answered
 */
export function nodeRateLimit<Request extends IncomingMessage = IncomingMessage>(
  options: HttpLimitOptions<Request>,
): NodeMiddleware<Request> {
  const limit = new HttpLimit(options)
  return async (request, response, next) => {
    let verdict: HttpVerdict
    try {
      verdict = await limit.check(request, factsOf(request))
      for (const [name, value] of Object.entries(verdict.headers)) {
        const before = response.getHeader(name)
        response.setHeader(
          name,
          mergedHeader(name, before === undefined ? before : `${before}`, value),
        )
      }
    } catch (error) {
      if (next === undefined) throw error
      next(error)
      return false
    }
    if (verdict.pass) {
      settleAfter(response, verdict.settle)
      // Outside the try: what follows must not be called a second time with its own error.
      next?.()
      return true
    }
    response.statusCode = verdict.status
    response.end(verdict.body)
    return false
  }
}

/** What is used of Hono's context; `env.incoming` is there under `@hono/node-server`. */
export interface HonoContextLike {
  readonly req: { header(name: string): string | undefined }
  readonly env: unknown
  res: { readonly headers: Headers; readonly status: number }
  header(name: string, value: string): void
  body(body: string, status: number, headers: Record<string, string>): Response
}

/**
 * Limits requests of Hono: `app.use(honoRateLimit(options))`. Outside `@hono/node-server` a request has no address: give it a
 * `key`, such as by `getConnInfo` of the runtime's adapter.
 */
export function honoRateLimit<Context extends HonoContextLike = HonoContextLike>(
  options: HttpLimitOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<Response | undefined> {
  const limit = new HttpLimit(options)
  return async (context, next) => {
    const env = context.env as { incoming?: IncomingMessage } | undefined
    const verdict = await limit.check(context, {
      remoteAddress: env?.incoming?.socket?.remoteAddress,
      forwardedFor: context.req.header('x-forwarded-for'),
    })
    if (!verdict.pass) return context.body(verdict.body, verdict.status, { ...verdict.headers })
    await next()
    for (const [name, value] of Object.entries(verdict.headers)) {
      context.header(name, mergedHeader(name, context.res.headers.get(name) ?? undefined, value))
    }
    await verdict.settle?.(context.res.status)
    return undefined
  }
}

/** What is used of Koa's context. */
export interface KoaContextLike {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  status: number
  body: unknown
  set(name: string, value: string): void
}

/** Limits requests of Koa: `app.use(koaRateLimit(options))`. */
export function koaRateLimit<Context extends KoaContextLike = KoaContextLike>(
  options: HttpLimitOptions<Context>,
): (context: Context, next: () => Promise<unknown>) => Promise<void> {
  const limit = new HttpLimit(options)
  return async (context, next) => {
    const { res } = context
    const verdict = await limit.check(context, factsOf(context.req))
    for (const [name, value] of Object.entries(verdict.headers)) {
      const before = res.getHeader(name)
      context.set(name, mergedHeader(name, before === undefined ? before : `${before}`, value))
    }
    if (verdict.pass) {
      settleAfter(res, verdict.settle)
      await next()
      return
    }
    context.status = verdict.status
    // Koa leaves a type that is set.
    context.body = verdict.body
  }
}

/** What a limit needs to know of a request of node:http. */
export function factsOf(request: IncomingMessage): {
  remoteAddress: string | undefined
  forwardedFor: string | undefined
} {
  const forwarded = request.headers['x-forwarded-for']
  return {
    remoteAddress: request.socket.remoteAddress,
    // Several fields of one name are one list (RFC 9110, section 5.3).
    forwardedFor: Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
  }
}

/** Tells the limit how an answer went, once it is sent or given up. */
export function settleAfter(
  response: ServerResponse,
  settle: ((status: number) => Promise<void>) | undefined,
): void {
  if (settle === undefined) return
  response.once('close', () => {
    // A refund that its store does not hear of stays spent, which errs on the side of the limit.
    settle(response.writableFinished ? response.statusCode : 499).catch(() => {})
  })
}
