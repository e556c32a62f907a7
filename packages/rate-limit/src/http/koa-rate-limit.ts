import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpLimit, type HttpLimitOptions, mergedHeader } from './http-limit.ts'
import { factsOf, settleAfter } from './node-message.ts'
import type { SeenLimitOptions, SeenRequest } from './seen-request.ts'

/** What is used of Koa's context, and what keys are mostly made of. */
export interface KoaContextLike {
  readonly ip: string
  readonly path: string
  get(name: string): string
  readonly req: IncomingMessage
  readonly res: ServerResponse
  status: number
  body: unknown
  set(name: string, value: string): void
}

/** It asks for no more of the context than it was told, so that state and context of the application keep their types. */
export type KoaMiddleware<Context = unknown, Named = unknown> = (
  context: SeenRequest<Context, KoaContextLike> & NoInfer<Named>,
  next: () => Promise<unknown>,
) => Promise<void>

/**
 * Limits requests of Koa: `app.use(koaRateLimit(options))`. A function of the options may name the context's types:
 * `key: (context: Koa.ParameterizedContext<State>) => context.state.account`.
 */
export function koaRateLimit<
  Context = unknown,
  Keyed = unknown,
  Priced = unknown,
  Skipped = unknown,
  Refused = unknown,
>(
  options: SeenLimitOptions<KoaContextLike, Context, Keyed, Priced, Skipped, Refused>,
): KoaMiddleware<Context, Keyed & Priced & Skipped & Refused> {
  const limit = new HttpLimit(options as HttpLimitOptions<KoaContextLike>)
  return async (seen, next) => {
    const context = seen as KoaContextLike
    const { res } = context
    const verdict = await limit.check(context, factsOf(context.req))
    for (const [name, value] of Object.entries(verdict.headers)) {
      context.set(name, mergedHeader(name, res.getHeader(name), value))
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
