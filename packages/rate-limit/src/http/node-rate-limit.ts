import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { HttpLimit, type HttpLimitOptions, type HttpVerdict, mergedHeader } from './http-limit.ts'
import {
  factsOf,
  type NodeRequestLike,
  type NodeResponseLike,
  settleAfter,
} from './node-message.ts'

/** Middleware of node:http, node:http2 and Connect. */
export type NodeMiddleware<Request = IncomingMessage | Http2ServerRequest> = (
  request: Request,
  response: NodeResponseLike,
  next?: (error?: unknown) => void,
) => Promise<boolean>

/**
 * Limits requests of node:http and node:http2, `if (!(await limit(request, response))) return`, and of what is built on them and passes
 * a `next`.
 *
 * @returns whether the request may go on; if not, it has been answered
 */
export function nodeRateLimit<
  Request extends NodeRequestLike = IncomingMessage | Http2ServerRequest,
>(options: HttpLimitOptions<Request>): NodeMiddleware<Request> {
  const limit = new HttpLimit(options)
  return async (request, response, next) => {
    let verdict: HttpVerdict
    try {
      verdict = await limit.check(request, factsOf(request))
      for (const [name, value] of Object.entries(verdict.headers)) {
        response.setHeader(name, mergedHeader(name, response.getHeader(name), value))
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
