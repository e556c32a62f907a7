import { describeStats } from '@millrace/kit'
import type { AttributeValue, Scope, SpanKind, StatusCode } from '../span/api/span.ts'
import type { SpanEvent, SpanLink } from '../span/recorded/span-details.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { EXPORTER_KINDS, type Exporter, type ExporterStats } from './exporter.ts'

/** An event of an ended span as ordinary data. */
export interface FinishedEvent {
  readonly name: string
  /** Epoch milliseconds. */
  readonly time: number
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

/** A link of an ended span as ordinary data. */
export interface FinishedLink {
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

/** An ended span as ordinary data. */
export interface FinishedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly parentRemote: boolean
  readonly traceFlags: number
  /** `tracestate` as it would be sent; empty where there is none. */
  readonly traceState: string
  readonly kind: SpanKind
  readonly status: { readonly code: StatusCode; readonly message: string }
  /** Epoch milliseconds. */
  readonly start: number
  /** Milliseconds. */
  readonly duration: number
  readonly attributes: Readonly<Record<string, AttributeValue>>
  readonly droppedAttributes: number
  readonly events: readonly FinishedEvent[]
  readonly droppedEvents: number
  readonly links: readonly FinishedLink[]
  readonly droppedLinks: number
  readonly scope: Scope
}

/** Keeps ended spans as objects: for tests. Unbounded. */
export class MemoryExporter implements Exporter, AsyncDisposable {
  readonly spans: FinishedSpan[] = []
  #exported = 0

  write(span: SpanRecord): void {
    this.spans.push(finish(span))
    this.#exported++
  }

  send(): void {}

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  stats(): ExporterStats {
    return { exported: this.#exported, dropped: 0, queued: 0, queuedBytes: 0 }
  }
}

function finish(span: SpanRecord): FinishedSpan {
  const { attributes, details } = span
  return {
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
    events: details?.events.map(event => finishEvent(event, span.epoch)) ?? [],
    droppedEvents: details?.droppedEvents ?? 0,
    links: details?.links.map(finishLink) ?? [],
    droppedLinks: details?.droppedLinks ?? 0,
    scope: span.scope,
  }
}

function finishEvent(event: SpanEvent, epoch: number): FinishedEvent {
  const { name, time, attributes } = event
  return { name, time: epoch + time, attributes: attributes?.toObject() ?? {} }
}

function finishLink({ context, attributes }: SpanLink): FinishedLink {
  const { traceId, spanId } = context
  return { traceId, spanId, attributes: attributes?.toObject() ?? {} }
}

describeStats<ExporterStats>(MemoryExporter.prototype, EXPORTER_KINDS)
