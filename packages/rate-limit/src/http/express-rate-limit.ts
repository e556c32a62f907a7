import type { IncomingMessage } from 'node:http'
import type { Request as ExpressRequest, Response as ExpressResponse, NextFunction } from 'express'
import type { HttpLimitOptions } from './http-limit.ts'
import type { NodeRequestLike } from './node-message.ts'
import { nodeRateLimit } from './node-rate-limit.ts'
import type { SeenLimitOptions, SeenRequest } from './seen-request.ts'

/** It asks for no more of the request than it was told, so that handlers beside it keep the types of their route. */
export type ExpressMiddleware<Request = unknown, Named = unknown> = (
  request: SeenRequest<Request, IncomingMessage> & NoInfer<Named>,
  response: ExpressResponse,
  next: NextFunction,
) => Promise<void>

/**
 * Limits requests of Express: `app.use(expressRateLimit(options))`, or before the handler of one route. A function of the options may
 * name the types of its route: `key: (request: Request<{ id: string }>) => request.params.id`. What its functions throw goes to
 * Express's error handler.
 */
export function expressRateLimit<
  Request = unknown,
  Keyed = unknown,
  Priced = unknown,
  Skipped = unknown,
  Refused = unknown,
>(
  options: SeenLimitOptions<ExpressRequest, Request, Keyed, Priced, Skipped, Refused>,
): ExpressMiddleware<Request, Keyed & Priced & Skipped & Refused> {
  const limit = nodeRateLimit(options as HttpLimitOptions<NodeRequestLike>)
  return async (request, response, next) => {
    await limit(request as NodeRequestLike, response, next)
  }
}
