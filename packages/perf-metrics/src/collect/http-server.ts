import {
  checkFunction,
  checkOptions,
  HTTP_METHODS,
  HttpRoutes,
  type IgnoredPaths,
  type OptionNames,
  pathFilter,
  type RouteFinder,
  watchServedRequests,
} from '@millrace/kit'
import type { TimingFamily } from '../instrument/labelled.ts'
import type { Registry } from '../registry/registry.ts'

/** Requests that servers of node:http and node:http2 receive. */
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

/** Metric and labels of OpenTelemetry's semantic conventions, as Prometheus spells them; `conventions.ts` has them as OTLP does. */
const NAME = 'http_server_request_duration_seconds'
const LABELS = [
  'http_request_method',
  'url_scheme',
  'http_route',
  'http_response_status_code',
  'error_type',
  'network_protocol_version',
] as const

/**
 * Measures the requests of servers of node:http and node:http2 up to the last byte, or to the loss of the connection or stream: those
 * have no status but the error type `aborted`, and are the failures. A request without a known route has an empty one.
 */
export function measureHttpServer(
  metrics: Registry,
  options: HttpServerMetricsOptions,
): () => void {
  const ignored = pathFilter('httpServer.ignore', options.ignore)
  const routes = new HttpRoutes()
  let timing: TimingFamily<(typeof LABELS)[number]> | undefined
  const unwatch = watchServedRequests(({ head, scheme, protocolVersion, onClose }) => {
    if (ignored(head)) return
    const begun = performance.now()
    onClose(({ status = '', aborted, handled }) => {
      timing ??= metrics.timing(NAME, { help: 'Requests served', labels: LABELS })
      const { method = '' } = head
      const failed = typeof status === 'number' && status >= 500
      const labels = {
        http_request_method: HTTP_METHODS.has(method) ? method : '_OTHER',
        url_scheme: scheme,
        http_route: routes.of(handled, options.route) ?? '',
        http_response_status_code: aborted ? '' : status,
        error_type: aborted ? 'aborted' : failed ? status : '',
        network_protocol_version: protocolVersion,
      }
      timing.record(labels, performance.now() - begun, aborted)
    })
  })
  return () => {
    unwatch()
    routes.close()
  }
}
