import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  checkFunction,
  checkOptions,
  HTTP_METHODS,
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

/** Metric and labels of OpenTelemetry's semantic conventions, as Prometheus spells them. */
const NAME = 'http_server_request_duration_seconds'
const LABELS = [
  'http_request_method',
  'url_scheme',
  'http_route',
  'http_response_status_code',
  'error_type',
] as const

/**
 * Measures the requests of node:http servers up to the last byte, or to the loss of the connection: those have no status but the error
 * type `aborted`, and are the failures. A request without a known route has an empty one.
 */
export function measureHttpServer(
  metrics: Registry,
  options: HttpServerMetricsOptions,
): () => void {
  const ignored = pathFilter('httpServer.ignore', options.ignore)
  const routes = new HttpRoutes()
  let timing: TimingFamily<(typeof LABELS)[number]> | undefined
  const onStart = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    if (ignored(request)) return
    const begun = performance.now()
    // `close` comes after the last byte as well as after a lost connection; the framework has chosen the route by then.
    response.once('close', () => {
      timing ??= metrics.timing(NAME, { help: 'Requests served', labels: LABELS })
      const aborted = !response.writableFinished
      const { method = '' } = request
      const { statusCode } = response
      const labels = {
        http_request_method: HTTP_METHODS.has(method) ? method : '_OTHER',
        url_scheme: 'encrypted' in request.socket ? 'https' : 'http',
        http_route: routes.of(request, options.route) ?? '',
        http_response_status_code: aborted ? '' : statusCode,
        error_type: aborted ? 'aborted' : statusCode >= 500 ? statusCode : '',
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
