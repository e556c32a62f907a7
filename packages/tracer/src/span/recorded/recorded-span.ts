import type {
  Attributes,
  AttributeValue,
  Link,
  SpanContext,
  SpanStatus,
  TimeInput,
} from '../api/span.ts'
import { StatusCode } from '../api/span.ts'
import { RANDOM, RECORDED, SAMPLED, TraceRecord } from '../ids/trace-record.ts'
import { exactNanos, isTimeInput, nameText, statusInput } from '../inputs.ts'
import { contextOf, showIds, type TracerSpan } from '../tracer-span.ts'
import { exceptionAttributes } from './exception-facts.ts'
import { endAt } from './given-times.ts'
import { type Moment, SpanDetails } from './span-details.ts'
import type { SpanRecord } from './span-record.ts'

/**
 * The handle of a span whose data lives in a {@link SpanRecord}: 48 bytes, the only allocation of a pooled span without
 * attributes. The fields are `declare`d so that the constructor alone defines them: a class field would first be
 * `undefined`, and V8 would then not keep the integer as a small integer. A private method would put the mark of its class on each
 * object, another 8 bytes.
 */
export class RecordedSpan implements TracerSpan {
  declare private readonly record: SpanRecord
  declare private readonly serial: number
  declare private shared: TraceRecord | null

  constructor(record: SpanRecord, serial: number, trace: TraceRecord | null) {
    this.record = record
    this.serial = serial
    this.shared = trace
  }

  trace(): TraceRecord {
    if (this.shared === null) {
      const { record } = this
      this.shared = TraceRecord.root(record.pool.ids, this.serial, SAMPLED | RANDOM | RECORDED)
      if (record.owner === this.serial) {
        this.shared.epoch = record.epoch
        record.trace = this.shared
      }
    }
    return this.shared
  }

  spanHigh(): number {
    return this.record.pool.ids.spanHigh(this.serial)
  }

  spanLow(): number {
    return this.record.pool.ids.spanLow(this.serial)
  }

  isRemote(): boolean {
    return false
  }

  spanContext(): SpanContext {
    return contextOf(this)
  }

  isRecording(): boolean {
    return this.record.owner === this.serial
  }

  setAttribute(key: string, value: AttributeValue): this {
    const { record } = this
    if (record.owner === this.serial) record.attributes.set(key, value)
    else record.pool.lateCalls++
    return this
  }

  setAttributes(attributes: Attributes): this {
    const { record } = this
    if (record.owner === this.serial) record.attributes.setAll(attributes)
    else record.pool.lateCalls++
    return this
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    const details = detailsOf(this.record, this.serial)
    if (details === null) return this
    const { limits } = this.record.pool.host
    if (isTimeInput(attributesOrTime)) {
      details.addEvent(limits, name, momentOf(this.record, attributesOrTime), undefined)
    } else {
      details.addEvent(limits, name, momentOf(this.record, time), attributesOrTime)
    }
    return this
  }

  addLink(link: Link): this {
    detailsOf(this.record, this.serial)?.addLink(this.record.pool.host.limits, link)
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
    const { record } = this
    if (record.owner !== this.serial) {
      record.pool.lateCalls++
      return this
    }
    const wanted = statusInput(status)
    if (wanted === undefined || record.status === StatusCode.OK) return this
    record.status = wanted.code
    if (wanted.message !== '') detailsOf(record, this.serial)!.statusMessage = wanted.message
    else if (record.details !== null) record.details.statusMessage = ''
    return this
  }

  updateName(name: string): this {
    const { record } = this
    if (record.owner === this.serial) record.name = nameText(name)
    else record.pool.lateCalls++
    return this
  }

  recordException(exception: unknown, time?: TimeInput): void {
    const details = detailsOf(this.record, this.serial)
    if (details === null) return
    const { limits } = this.record.pool.host
    const moment = momentOf(this.record, time)
    details.addEvent(limits, 'exception', moment, exceptionAttributes(exception))
  }

  end(time?: TimeInput): void {
    const { record } = this
    const { pool } = record
    if (record.owner !== this.serial) {
      pool.lateCalls++
      return
    }
    const { host } = pool
    const end = time === undefined ? host.now() : endAt(record, time)
    record.owner = 0
    // Never before the start: a negative duration would break every consumer.
    record.end = Math.max(end, record.start)
    host.ended(record)
  }
}

/** What the span with this serial has besides attributes, made where it is missing; null where it has ended. */
function detailsOf(record: SpanRecord, serial: number): SpanDetails | null {
  if (record.owner === serial) return (record.details ??= new SpanDetails())
  record.pool.lateCalls++
  return null
}

function momentOf(record: SpanRecord, time: TimeInput | undefined): Moment {
  return { time: record.pool.host.at(time, record.epoch), nanos: exactNanos(time) }
}

showIds(RecordedSpan.prototype)
