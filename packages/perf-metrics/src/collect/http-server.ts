import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  checkFunction,
  checkOptions,
  HttpRoutes,
  type IgnoredPaths,
  type OptionNames,
  pathFilter,
  type RouteFinder,
} from '@millrace/kit'
import type { TimingFamily } from '../instrument/labelled.ts'
import type { Registry } from '../registry/registry.ts'

/** Requests that node:http servers receive. */
export interface HttpServerMetricsOptions {
  /** Requests that are not measured, such as health checks and scrapes: paths without query, or a function of the path. Default: none */
  readonly ignore?: IgnoredPaths | undefined
  /**
   * The route of a request that has been handled, as a pattern, or undefined. At most 1,000 different ones are used. Default: what
   * Express and Fastify say, or `setHttpRoute`
   */
  readonly route?: RouteFinder | undefined
}

const NAMES: OptionNames<HttpServerMetricsOptions> = { ignore: true, route: true }

/** @throws InvalidOptionError */
export function checkHttpServer(options: HttpServerMetricsOptions): void {
  const { ignore, route } = checkOptions('httpServer', options, NAMES)
  pathFilter('httpServer.ignore', ignore)
  if (route !== undefined) checkFunction('httpServer.route', route)
}

const NAME = 'http_server_request_duration_seconds'

/**
 * Measures the requests of node:http servers up to the last byte, or to the loss of the connection: those have the status `aborted`, and
 * are the failures. The methods that Node parses are a bounded set; a request without a known route has an empty one.
 */
export function measureHttpServer(
  metrics: Registry,
  options: HttpServerMetricsOptions,
): () => void {
  const ignored = pathFilter('httpServer.ignore', options.ignore)
  const routes = new HttpRoutes()
  let timing: TimingFamily<'method' | 'http_route' | 'status'> | undefined
  const onStart = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    if (ignored(request)) return
    const begun = performance.now()
    // `close` comes after the last byte as well as after a lost connection; the framework has chosen the route by then.
    response.once('close', () => {
      timing ??= metrics.timing(NAME, {
        help: 'Requests served',
        labels: ['method', 'http_route', 'status'],
      })
      const aborted = !response.writableFinished
      const labels = {
        method: request.method ?? '',
        http_route: routes.of(request, options.route) ?? '',
        status: aborted ? 'aborted' : response.statusCode,
      }
      timing.record(labels, performance.now() - begun, aborted)
    })
  }
  subscribe('http.server.request.start', onStart)
  return () => {
    unsubscribe('http.server.request.start', onStart)
    routes.close()
  }
}
