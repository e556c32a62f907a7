import { channel } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { ActiveContext, activeContext, enter } from '../context/active-context.ts'
import type { Headers } from '../propagation/remote-parent.ts'
import { type Span, SpanKind, StatusCode } from '../span/api/span.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { fail } from '../wrap/run-span.ts'
import {
  methodAttributes,
  portOf,
  setHttpStatus,
  spanName,
  withoutQuery,
} from './http-attributes.ts'
import { mayStart } from './operation-spans.ts'

/**
 * Server spans of node:http. The channel publishes just before the server emits `request`, in the same synchronous run, so the
 * span that is entered here is active in the handler and in all that it starts.
 */
export function traceHttpServer(tracer: Tracer): () => void {
  const onStart = (message: unknown): void => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    if (activeContext().suppressed) return
    const remote = tracer.propagation.extract(request.headers as Headers)
    const method = request.method ?? 'GET'
    const span = tracer.startUnder(spanName(method), remote.span as TracerSpan | null, {
      kind: SpanKind.SERVER,
      attributes: {
        ...methodAttributes(method),
        'url.path': withoutQuery(request.url ?? '/'),
        'url.scheme': 'encrypted' in request.socket ? 'https' : 'http',
        'network.protocol.version': request.httpVersion,
      },
    })
    enter(new ActiveContext(span, remote.baggage))
    // `close` comes after the last byte as well as after a lost connection.
    response.once('close', () => {
      if (response.headersSent) setHttpStatus(span, response.statusCode, 500)
      if (!response.writableFinished) {
        abort(span)
      }
      span.end()
    })
  }
  channel('http.server.request.start').subscribe(onStart)
  return () => channel('http.server.request.start').unsubscribe(onStart)
}

/** Client spans of node:http and node:https, which send trace context along. */
export function traceHttpClient(tracer: Tracer, roots: boolean): () => void {
  const running = new WeakMap<ClientRequest, TracerSpan>()
  const onCreated = (message: unknown): void => {
    const { request } = message as { request: ClientRequest }
    const active = activeContext()
    if (!mayStart(active, roots)) return
    const origin = `${request.protocol}//${request.getHeader('host') ?? request.host}`
    const span = tracer.startUnder(spanName(request.method), active.span, {
      kind: SpanKind.CLIENT,
      attributes: {
        ...methodAttributes(request.method),
        'server.address': request.host,
        'server.port': portOf(URL.parse(origin)),
        'url.full': `${origin}${withoutQuery(request.path)}`,
      },
    })
    running.set(request, span)
    // Headers given as an array are sent already: such a request is traced, but not told so.
    if (!request.headersSent) {
      const headers: Record<string, string> = {}
      tracer.propagation.inject(headers, span)
      for (const name of Object.keys(headers)) request.setHeader(name, headers[name]!)
    }
    // After the last byte of the answer; the channel tells of the answer when its headers are there.
    request.once('close', () => span.end())
  }
  const onResponse = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage }
    const span = running.get(request)
    if (span === undefined) return
    setHttpStatus(span, response.statusCode ?? 0, 400)
    // Before the listener that ends the span.
    request.prependOnceListener('close', () => {
      if (!response.complete) abort(span)
    })
  }
  const onError = (message: unknown): void => {
    const { request, error } = message as { request: ClientRequest; error: unknown }
    const span = running.get(request)
    if (span !== undefined) fail(span, error)
  }
  const subscriptions = [
    ['http.client.request.created', onCreated],
    ['http.client.response.finish', onResponse],
    ['http.client.request.error', onError],
  ] as const
  for (const [name, listener] of subscriptions) channel(name).subscribe(listener)
  return () => {
    for (const [name, listener] of subscriptions) channel(name).unsubscribe(listener)
  }
}

/** Notes that the connection was lost before the last byte. */
function abort(span: Span): void {
  span.setAttribute('error.type', 'aborted').setStatus({ code: StatusCode.ERROR })
}
