import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  checkFunction,
  checkOptions,
  HttpRoutes,
  type IgnoredPaths,
  type OptionNames,
  pathFilter,
  type RouteFinder,
  requestPath,
} from '@millrace/kit'
import { ActiveContext, activeContext, enter } from '../context/active-context.ts'
import { SpanKind } from '../span/api/span.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { markAborted, methodAttributes, methodName, setHttpStatus } from './http-attributes.ts'

export interface HttpServerOptions {
  /**
   * Requests that make no span, nor does anything that they start, such as health checks and scrapes: paths without query, or a
   * function of the path. Default: none
   */
  readonly ignore?: IgnoredPaths | undefined
  /**
   * The route of a request that has been handled, as a pattern, or undefined. At most 1,000 different ones are used. Default: what
   * Express and Fastify say, or `setHttpRoute`
   */
  readonly route?: RouteFinder | undefined
}

const NAMES: OptionNames<HttpServerOptions> = { ignore: true, route: true }

/** What requests without spans run in. On Node 22 the next request of the connection begins in what the last one entered. */
const IGNORED = new ActiveContext(null, null, null, true)

/** @throws InvalidOptionError */
export function checkHttpServer(options: HttpServerOptions): void {
  const { ignore, route } = checkOptions('httpServer', options, NAMES)
  pathFilter('httpServer.ignore', ignore)
  if (route !== undefined) checkFunction('httpServer.route', route)
}

/**
 * Server spans of node:http. The channel publishes just before the server emits `request`, in the same synchronous run, so the
 * span that is entered here is active in the handler and in all that it starts.
 */
export function traceHttpServer(tracer: Tracer, options: HttpServerOptions): () => void {
  const ignored = pathFilter('httpServer.ignore', options.ignore)
  const routes = new HttpRoutes()
  const onStart = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    const active = activeContext()
    if (active.suppressed && active !== IGNORED) return
    if (ignored(request)) {
      enter(IGNORED)
      return
    }
    const remote = tracer.propagation.extract(request.headers)
    const method = request.method ?? 'GET'
    const span = tracer.startUnder(methodName(method), asTracerSpan(remote.span), {
      kind: SpanKind.SERVER,
      attributes: {
        ...methodAttributes(method),
        'url.path': requestPath(request.url ?? '/'),
        'url.scheme': 'encrypted' in request.socket ? 'https' : 'http',
        'network.protocol.version': request.httpVersion,
      },
    })
    enter(new ActiveContext(span, remote.baggage))
    // `close` comes after the last byte as well as after a lost connection; the framework has chosen the route by then.
    response.once('close', () => {
      const route = routes.of(request, options.route)
      if (route !== undefined) {
        span.setAttribute('http.route', route).updateName(`${methodName(method)} ${route}`)
      }
      if (response.headersSent) setHttpStatus(span, response.statusCode, 500)
      if (!response.writableFinished) markAborted(span)
      span.end()
    })
  }
  channel('http.server.request.start').subscribe(onStart)
  return () => {
    channel('http.server.request.start').unsubscribe(onStart)
    routes.close()
  }
}
