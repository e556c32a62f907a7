import type { IncomingMessage } from 'node:http'
import type { Context as HonoContext } from 'hono'
import { HttpLimit, type HttpLimitOptions, mergedHeader } from './http-limit.ts'
import { type NodeResponseLike, settleAfter } from './node-message.ts'
import type { SeenLimitOptions, SeenRequest } from './seen-request.ts'

/** What `@hono/node-server` tells of a request. */
interface NodeBindings {
  readonly incoming?: IncomingMessage
  readonly outgoing?: NodeResponseLike
}

/** What is used of Hono's context; `env.incoming` is there under `@hono/node-server`. */
export interface HonoContextLike {
  readonly req: { header(name: string): string | undefined }
  readonly env: unknown
  res: { readonly headers: Headers; readonly status: number }
  header(name: string, value: string): void
  body(body: string, status: number, headers: Record<string, string>): Response
}

/** It asks for no more of the context than it was told, so that handlers beside it keep the types of their route. */
export type HonoMiddleware<Context = unknown, Named = unknown> = (
  context: SeenRequest<Context, HonoContextLike> & NoInfer<Named>,
  next: () => Promise<void>,
) => Promise<Response | undefined>

/**
 * Limits requests of Hono: `app.use(honoRateLimit(options))`, or before the handler of one route. A function of the options may name the
 * types of its route: `key: (context: Context<Env, '/users/:id'>) => context.req.param('id')`. Outside `@hono/node-server` a request has
 * no address: give it a `key`, such as by `getConnInfo` of the runtime's adapter.
 */
export function honoRateLimit<
  Context = unknown,
  Keyed = unknown,
  Priced = unknown,
  Skipped = unknown,
  Refused = unknown,
>(
  options: SeenLimitOptions<HonoContext, Context, Keyed, Priced, Skipped, Refused>,
): HonoMiddleware<Context, Keyed & Priced & Skipped & Refused> {
  const limit = new HttpLimit(options as HttpLimitOptions<HonoContextLike>)
  return async (seen, next) => {
    const context = seen as HonoContextLike
    const { incoming, outgoing } = (context.env ?? {}) as NodeBindings
    const verdict = await limit.check(context, {
      remoteAddress: incoming?.socket?.remoteAddress,
      forwardedFor: context.req.header('x-forwarded-for'),
    })
    if (!verdict.pass) return context.body(verdict.body, verdict.status, { ...verdict.headers })
    // What becomes of the answer when it is sent, Node's server tells.
    const settle = outgoing === undefined ? verdict.settle : undefined
    if (outgoing !== undefined) settleAfter(outgoing, verdict.settle)
    await next()
    for (const [name, value] of Object.entries(verdict.headers)) {
      context.header(name, mergedHeader(name, context.res.headers.get(name), value))
    }
    // Within the answer, as some runtimes end with it. A refund that its store does not hear of stays spent: see `settleAfter`.
    await settle?.(context.res.status).catch(() => {})
    return undefined
  }
}
