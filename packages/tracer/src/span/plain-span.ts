import { BaseSpan } from './base-span.ts'
import type { IdSource } from './id-source.ts'
import { nameText } from './name-text.ts'
import type { Attributes, AttributeValue, Link, Span, SpanStatus, TimeInput } from './span.ts'
import { StatusCode } from './span.ts'
import { SpanDetails } from './span-details.ts'
import type { SpanHost } from './span-host.ts'
import type { SpanRecord } from './span-record.ts'
import { statusInput } from './status-input.ts'
import { isTimeInput } from './time-input.ts'
import { RANDOM, RECORDED, SAMPLED, type TraceRecord } from './trace-record.ts'
import { newTrace } from './unsampled-span.ts'

/**
 * A span that owns its data, as most tracers make them: the path for comparison and rollback, and what the pool
 * falls back to when all slots are taken.
 */
export class PlainSpan extends BaseSpan implements Span {
  readonly #host: SpanHost
  readonly #ids: IdSource
  readonly #serial: number
  readonly #record: SpanRecord
  #trace: TraceRecord | null
  #ended = false

  constructor(
    host: SpanHost,
    ids: IdSource,
    serial: number,
    record: SpanRecord,
    trace: TraceRecord | null,
  ) {
    super()
    this.#host = host
    this.#ids = ids
    this.#serial = serial
    this.#record = record
    this.#trace = trace
  }

  override trace(): TraceRecord {
    return (this.#trace ??= newTrace(this.#ids, this.#serial, SAMPLED | RANDOM | RECORDED))
  }

  override spanHigh(): number {
    return this.#ids.spanHigh(this.#serial)
  }

  override spanLow(): number {
    return this.#ids.spanLow(this.#serial)
  }

  isRecording(): boolean {
    return !this.#ended
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (!this.#ended) this.#record.attributes.set(key, value)
    return this
  }

  setAttributes(attributes: Attributes): this {
    if (!this.#ended) this.#record.attributes.setAll(attributes)
    return this
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (this.#ended) return this
    const host = this.#host
    if (isTimeInput(attributesOrTime)) {
      this.#details().addEvent(host.limits, name, host.at(attributesOrTime), undefined)
    } else {
      this.#details().addEvent(host.limits, name, host.at(time), attributesOrTime)
    }
    return this
  }

  addLink(link: Link): this {
    if (!this.#ended) this.#details().addLink(this.#host.limits, link)
    return this
  }

  addLinks(links: readonly Link[]): this {
    try {
      if (Array.isArray(links)) for (const link of links) this.addLink(link)
    } catch {
      // A list that throws when it is walked: hot-path calls never throw.
    }
    return this
  }

  setStatus(status: SpanStatus): this {
    const record = this.#record
    const wanted = statusInput(status)
    if (this.#ended || wanted === undefined || record.status === StatusCode.OK) return this
    record.status = wanted.code
    if (wanted.message !== '') this.#details().statusMessage = wanted.message
    else if (record.details !== null) record.details.statusMessage = ''
    return this
  }

  updateName(name: string): this {
    if (!this.#ended) this.#record.name = nameText(name)
    return this
  }

  recordException(exception: unknown, time?: TimeInput): void {
    if (this.#ended) return
    const host = this.#host
    this.#details().addEvent(host.limits, 'exception', host.at(time), undefined, exception)
  }

  end(time?: TimeInput): void {
    if (this.#ended) return
    this.#ended = true
    const record = this.#record
    record.end = Math.max(this.#host.at(time), record.start)
    const trace = this.trace()
    record.traceA = trace.a
    record.traceB = trace.b
    record.traceC = trace.c
    record.traceD = trace.d
    record.traceFlags = trace.flags & ~RECORDED
    record.traceState = trace.state
    record.spanHigh = this.spanHigh()
    record.spanLow = this.spanLow()
    this.#host.endedRecord(record, this.#trace)
  }

  #details(): SpanDetails {
    return (this.#record.details ??= new SpanDetails())
  }
}
