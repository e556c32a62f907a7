import { channel } from 'node:diagnostics_channel'
import { activeContext } from '../context/active-context.ts'
import { SpanKind } from '../span/api/span.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { fail } from '../wrap/run-span.ts'
import { methodAttributes, methodName, serverAttributes, setHttpStatus } from './http-attributes.ts'
import { mayStart } from './operation-spans.ts'
import type { OutgoingCalls } from './outgoing-calls.ts'

/** The request object of undici's channels, in undici 6 to 8 and in Node's own `fetch`. */
interface UndiciRequest {
  readonly origin: string | URL
  readonly method: string
  readonly path: string
  addHeader(name: string, value: string): unknown
}

interface UndiciMessage {
  readonly request: UndiciRequest
  readonly response?: { readonly statusCode: number }
  readonly error?: unknown
}

/** Client spans of undici and of Node's `fetch`, which send trace context along. */
export function traceUndici(tracer: Tracer, roots: boolean, calls: OutgoingCalls): () => void {
  const running = new WeakMap<UndiciRequest, TracerSpan>()
  const onCreate = ({ request }: UndiciMessage): void => {
    const active = activeContext()
    if (!mayStart(active, roots)) return
    let span = active.span
    // Within a call that is one span, only the headers are missing.
    if (span === null || !calls.covers(span)) {
      span = tracer.startUnder(methodName(request.method), span, {
        kind: SpanKind.CLIENT,
        attributes: {
          ...methodAttributes(request.method),
          ...serverAttributes(request.origin, request.path),
        },
      })
      running.set(request, span)
    }
    tracer.propagation.write(request.addHeader.bind(request), span, active.baggage)
  }
  const onHeaders = ({ request, response }: UndiciMessage): void => {
    const span = running.get(request)
    if (span !== undefined) setHttpStatus(span, response!.statusCode, 400)
  }
  const onTrailers = ({ request }: UndiciMessage): void => {
    running.get(request)?.end()
    running.delete(request)
  }
  const onError = ({ request, error }: UndiciMessage): void => {
    const span = running.get(request)
    running.delete(request)
    if (span !== undefined) fail(span, error)
  }
  const subscriptions = [
    ['undici:request:create', onCreate],
    ['undici:request:headers', onHeaders],
    ['undici:request:trailers', onTrailers],
    ['undici:request:error', onError],
  ] as const
  for (const [name, listener] of subscriptions) channel(name).subscribe(listener as never)
  return () => {
    for (const [name, listener] of subscriptions) channel(name).unsubscribe(listener as never)
  }
}
