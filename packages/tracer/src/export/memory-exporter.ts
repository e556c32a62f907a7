import { exceptionFacts } from '../otlp/exception.ts'
import type { AttributeValue, Scope, SpanKind, StatusCode } from '../span/span.ts'
import type { SpanRecord } from '../span/span-record.ts'
import type { Exporter, ExporterStats } from './exporter.ts'

/** An ended span as ordinary data. */
export interface FinishedSpan {
  name: string
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  parentRemote: boolean
  traceFlags: number
  /** `tracestate` as it would be sent; empty where there is none. */
  traceState: string
  kind: SpanKind
  status: { code: StatusCode; message: string }
  /** Epoch milliseconds. */
  start: number
  /** Milliseconds. */
  duration: number
  attributes: Record<string, AttributeValue>
  droppedAttributes: number
  events: { name: string; time: number; attributes: Record<string, AttributeValue> }[]
  droppedEvents: number
  links: { traceId: string; spanId: string; attributes: Record<string, AttributeValue> }[]
  droppedLinks: number
  scope: Scope
}

/** Keeps ended spans as objects: for tests. Unbounded. */
export class MemoryExporter implements Exporter {
  readonly spans: FinishedSpan[] = []
  #exported = 0

  write(span: SpanRecord): void {
    this.spans.push(finish(span))
    this.#exported++
  }

  send(): void {}

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  stats(): ExporterStats {
    return { exported: this.#exported, dropped: 0, queued: 0, queuedBytes: 0 }
  }
}

function finish(span: SpanRecord): FinishedSpan {
  const { attributes, details } = span
  const finished: FinishedSpan = {
    name: span.name,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    parentRemote: span.parentRemote,
    traceFlags: span.traceFlags,
    traceState: span.traceState?.serialize() ?? '',
    kind: span.kind,
    status: { code: span.status, message: details?.statusMessage ?? '' },
    start: span.epoch + span.start,
    duration: span.duration,
    attributes: attributes.toObject(),
    droppedAttributes: attributes.dropped,
    events: [],
    droppedEvents: details?.droppedEvents ?? 0,
    links: [],
    droppedLinks: details?.droppedLinks ?? 0,
    scope: span.scope,
  }
  for (const event of details?.events ?? []) {
    const given = event.attributes?.toObject() ?? {}
    const facts = event.error === undefined ? {} : exceptionFields(event.error)
    const time = span.epoch + event.time
    finished.events.push({ name: event.name, time, attributes: { ...facts, ...given } })
  }
  for (const { context, attributes } of details?.links ?? []) {
    const { traceId, spanId } = context
    finished.links.push({ traceId, spanId, attributes: attributes?.toObject() ?? {} })
  }
  return finished
}

function exceptionFields(error: unknown): Record<string, AttributeValue> {
  const { type, message, stack } = exceptionFacts(error)
  return {
    'exception.type': type,
    'exception.message': message,
    'exception.stacktrace': stack,
  }
}
