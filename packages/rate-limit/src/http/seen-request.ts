import type { HttpLimitOptions } from './http-limit.ts'

/**
 * The request that the functions of the options see: `Usual`, unless one of them, or the route that the middleware is given to, says
 * which it is.
 */
export type SeenRequest<Request, Usual> = unknown extends Request
  ? Usual
  : [Request] extends [never]
    ? Usual
    : Request

/** Options whose functions each see the request of a framework, `Known`, with what they name of it themselves. */
export type SeenLimitOptions<Known, Request, Keyed, Priced, Skipped, Refused> = HttpLimitOptions<
  SeenRequest<Request, Known>,
  SeenRequest<Keyed, SeenRequest<NoInfer<Request>, Known>>,
  SeenRequest<Priced, SeenRequest<NoInfer<Request>, Known>>,
  SeenRequest<Skipped, SeenRequest<NoInfer<Request>, Known>>,
  SeenRequest<Refused, SeenRequest<NoInfer<Request>, Known>>
>
