import type { EventEmitter } from 'node:events'
import {
  checkFunction,
  checkOptions,
  HttpRoutes,
  type IgnoredPaths,
  type OptionNames,
  pathFilter,
  type RouteFinder,
  requestPath,
  watchServedRequests,
} from '@millrace/kit'
import { ActiveContext, activeContext, enter, runWith } from '../context/active-context.ts'
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
export function checkHttpServer(option: string, options: HttpServerOptions): HttpServerOptions {
  const { ignore, route } = checkOptions(option, options, NAMES)
  pathFilter(`${option}.ignore`, ignore)
  if (route !== undefined) checkFunction(`${option}.route`, route)
  return options
}

/**
 * Server spans of node:http and node:http2. The request is told of in the same synchronous run that goes on to the handler, so the span
 * that is entered here is active in the handler, in all that it starts, and in the listeners of the request's body.
 */
export function traceHttpServer(tracer: Tracer, options: HttpServerOptions): () => void {
  const ignored = pathFilter('httpServer.ignore', options.ignore)
  const routes = new HttpRoutes()
  const unwatch = watchServedRequests(({ head, scheme, protocolVersion, body, onClose }) => {
    const active = activeContext()
    if (active.suppressed && active !== IGNORED) return
    if (ignored(head)) {
      enterRequest(IGNORED, body)
      return
    }
    const remote = tracer.propagation.extract(head.headers)
    const method = head.method ?? 'GET'
    const span = tracer.startUnder(methodName(method), asTracerSpan(remote.span), {
      kind: SpanKind.SERVER,
      attributes: {
        ...methodAttributes(method),
        'url.path': requestPath(head.url ?? '/'),
        'url.scheme': scheme,
        'network.protocol.version': protocolVersion,
      },
    })
    enterRequest(new ActiveContext(span, remote.baggage), body)
    onClose(({ status, aborted, handled }) => {
      const route = routes.of(handled, options.route)
      if (route !== undefined) {
        span.setAttribute('http.route', route).updateName(`${methodName(method)} ${route}`)
      }
      if (status !== undefined) setHttpStatus(span, status, 500)
      if (aborted) markAborted(span)
      span.end()
    })
  })
  return () => {
    unwatch()
    routes.close()
  }
}

/**
 * Makes `context` active for the handler and for listeners of the request's own events: since Node 24 these are emitted in what was
 * active when the connection was opened.
 */
function enterRequest(context: ActiveContext, request: EventEmitter): void {
  enter(context)
  const { emit } = request
  request.emit = (...args) => runWith(context, () => Reflect.apply(emit, request, args))
}
