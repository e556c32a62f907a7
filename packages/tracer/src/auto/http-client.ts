import { channel } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { activeContext } from '../context/active-context.ts'
import { SpanKind } from '../span/api/span.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { fail } from '../wrap/run-span.ts'
import {
  markAborted,
  methodAttributes,
  methodName,
  serverAttributes,
  setHttpStatus,
} from './http-attributes.ts'
import { mayStart } from './operation-spans.ts'

/** Client spans of node:http and node:https, which send trace context along. */
export function traceHttpClient(tracer: Tracer, roots: boolean): () => void {
  const running = new WeakMap<ClientRequest, TracerSpan>()
  const onCreated = (message: unknown): void => {
    const { request } = message as { request: ClientRequest }
    const active = activeContext()
    if (!mayStart(active, roots)) return
    const origin = `${request.protocol}//${request.getHeader('host') ?? request.host}`
    const span = tracer.startUnder(methodName(request.method), active.span, {
      kind: SpanKind.CLIENT,
      attributes: {
        ...methodAttributes(request.method),
        ...serverAttributes(origin, request.path),
      },
    })
    running.set(request, span)
    // Headers given as an array are sent already: such a request is traced, but not told so.
    if (!request.headersSent) {
      tracer.propagation.write(request.setHeader.bind(request), span, active.baggage)
    }
    // After the last byte of the answer; the channel tells of the answer when its headers are there.
    request.once('close', () => {
      if (running.delete(request)) span.end()
    })
  }
  const onResponse = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage }
    const span = running.get(request)
    if (span === undefined) return
    setHttpStatus(span, response.statusCode ?? 0, 400)
    // Before the listener that ends the span.
    request.prependOnceListener('close', () => {
      if (!response.complete) markAborted(span)
    })
  }
  const onError = (message: unknown): void => {
    const { request, error } = message as { request: ClientRequest; error: unknown }
    const span = running.get(request)
    running.delete(request)
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
