import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2'
import { heed } from '../calls/heed.ts'
import { expressRoute } from './express-route.ts'

/** Different routes that are used; a service has some dozens, and more than this are paths in disguise. */
const MAX_ROUTES = 1_000
/** Longer ones are paths in disguise as well. */
const MAX_LENGTH = 256

/** Where a request carries its route, for every copy of this module in the process. */
const ROUTE = Symbol.for('@millrace/http-route')

interface ToldRequest {
  [ROUTE]?: string
  /** Of a request of HTTP/2, which keeps the route there: with the stream alone it is found as well. */
  readonly stream?: ToldRequest
}

type Handled = IncomingMessage | Http2ServerRequest | ServerHttp2Stream

/** Fastify publishes here each application that is made. */
const fastifyMade = channel('fastify.initialization')
/** And here, before the handler of each request. */
const fastifyHandles = channel('tracing:fastify.request.handler:start')

/**
 * Tells which route serves a request, for frameworks that do not say so themselves: the pattern, such as `/users/:id`, never the
 * path. Express and Fastify need no call. Does nothing where there is no request of Node's, as a framework has none under another
 * runtime. O(1).
 *
 * @param request of node:http or node:http2, or a stream of the latter
 */
export function setHttpRoute(
  request: IncomingMessage | Http2ServerRequest | ServerHttp2Stream,
  route: string,
): void {
  if (Object(request) !== request) return
  const told = (request as ToldRequest).stream ?? (request as ToldRequest)
  if (Object.isExtensible(told)) told[ROUTE] = route
}

/** Finds the route of a request that has been handled. */
export type RouteFinder = (request: IncomingMessage | Http2ServerRequest) => string | undefined

interface FastifyRequest {
  readonly raw?: IncomingMessage
  readonly routeOptions?: { readonly url?: unknown }
}

interface FastifyApplication {
  addHook?(
    name: 'onRequest',
    hook: (request: FastifyRequest, reply: unknown, done: () => void) => void,
  ): unknown
}

/** Finds the route of a request, of which it lets a bounded number of different ones pass. */
export class HttpRoutes {
  readonly #known = new Set<string>()

  constructor() {
    fastifyMade.subscribe(onFastifyMade)
    fastifyHandles.subscribe(onFastifyHandles)
  }

  /**
   * The route, or undefined where it is not known, or would be one too many. Call it when the request has been handled.
   *
   * @param find what the program has to say instead; undefined for what the framework says
   */
  of(request: Handled, find: RouteFinder | undefined): string | undefined {
    const route =
      find === undefined || !('url' in request) ? usualRoute(request) : safely(find, request)
    if (typeof route !== 'string' || route === '' || route.length > MAX_LENGTH) return undefined
    // No label and no attribute can say half a character.
    if (!route.isWellFormed()) return undefined
    if (this.#known.has(route)) return route
    if (this.#known.size >= MAX_ROUTES) return undefined
    this.#known.add(route)
    return route
  }

  close(): void {
    fastifyMade.unsubscribe(onFastifyMade)
    fastifyHandles.unsubscribe(onFastifyHandles)
  }
}

function usualRoute(request: Handled): string | undefined {
  const told = ((request as ToldRequest).stream ?? (request as ToldRequest))[ROUTE]
  return told ?? (safely(expressRoute, request) as string | undefined)
}

function safely<R>(find: (request: R) => unknown, request: R): unknown {
  try {
    const found = find(request)
    return heed(found) ? undefined : found
  } catch {
    // The program's own function, or a framework's insides: the request goes without a route.
    return undefined
  }
}

/** What is answered before its handler, by a limit, a guard or a schema, has a route as well. */
function onFastifyMade(message: unknown): void {
  const { fastify } = message as { readonly fastify?: FastifyApplication }
  fastify?.addHook?.('onRequest', (request, _reply, done) => {
    tellFastifyRoute(request, request.routeOptions?.url)
    done()
  })
}

/** For applications that were made before routes were asked for. */
function onFastifyHandles(message: unknown): void {
  const { request, route } = message as {
    readonly request?: FastifyRequest
    readonly route?: { readonly url?: unknown }
  }
  tellFastifyRoute(request, route?.url)
}

function tellFastifyRoute(request: FastifyRequest | undefined, url: unknown): void {
  if (request?.raw !== undefined && typeof url === 'string') setHttpRoute(request.raw, url)
}
