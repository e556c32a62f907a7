import { BaseSpan } from './base-span.ts'
import { nameText } from './name-text.ts'
import type { Attributes, AttributeValue, Link, Span, SpanStatus, TimeInput } from './span.ts'
import { StatusCode } from './span.ts'
import { SpanDetails } from './span-details.ts'
import type { SpanTable } from './span-table.ts'
import { statusInput } from './status-input.ts'
import { isTimeInput } from './time-input.ts'
import { RANDOM, RECORDED, SAMPLED, type TraceRecord } from './trace-record.ts'
import { newTrace } from './unsampled-span.ts'

/**
 * The handle of a span whose data lives in a {@link SpanTable}: 56 bytes, the only allocation of a span without
 * attributes. The fields are `declare`d so that the constructor alone defines them: a class field would first be
 * `undefined`, and V8 would then not keep the integers as small integers.
 */
export class PooledSpan extends BaseSpan implements Span {
  declare private readonly table: SpanTable
  declare private readonly slot: number
  declare private readonly serial: number
  declare private shared: TraceRecord | null

  constructor(table: SpanTable, slot: number, serial: number, trace: TraceRecord | null) {
    super()
    this.table = table
    this.slot = slot
    this.serial = serial
    this.shared = trace
  }

  override trace(): TraceRecord {
    if (this.shared === null) {
      this.shared = newTrace(this.table.ids, this.serial, SAMPLED | RANDOM | RECORDED)
      if (this.isRecording()) this.table.traces[this.slot] = this.shared
    }
    return this.shared
  }

  override spanHigh(): number {
    return this.table.ids.spanHigh(this.serial)
  }

  override spanLow(): number {
    return this.table.ids.spanLow(this.serial)
  }

  isRecording(): boolean {
    return this.table.owner[this.slot] === this.serial
  }

  setAttribute(key: string, value: AttributeValue): this {
    const { table, slot } = this
    if (table.owner[slot] === this.serial) table.attributes[slot]!.set(key, value)
    else table.lateCalls++
    return this
  }

  setAttributes(attributes: Attributes): this {
    const { table, slot } = this
    if (table.owner[slot] === this.serial) table.attributes[slot]!.setAll(attributes)
    else table.lateCalls++
    return this
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    const details = this.#details()
    if (details === null) return this
    const { host } = this.table
    if (isTimeInput(attributesOrTime)) {
      details.addEvent(host.limits, name, host.at(attributesOrTime), undefined)
    } else {
      details.addEvent(host.limits, name, host.at(time), attributesOrTime)
    }
    return this
  }

  addLink(link: Link): this {
    this.#details()?.addLink(this.table.host.limits, link)
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
    const { table, slot } = this
    if (!this.isRecording()) {
      table.lateCalls++
      return this
    }
    const wanted = statusInput(status)
    if (wanted === undefined || table.status(slot) === StatusCode.OK) return this
    table.setStatus(slot, wanted.code)
    if (wanted.message !== '') this.#details()!.statusMessage = wanted.message
    else if (table.details[slot] !== null) table.details[slot]!.statusMessage = ''
    return this
  }

  updateName(name: string): this {
    if (this.isRecording()) this.table.names[this.slot] = nameText(name)
    else this.table.lateCalls++
    return this
  }

  recordException(exception: unknown, time?: TimeInput): void {
    const { host } = this.table
    this.#details()?.addEvent(host.limits, 'exception', host.at(time), undefined, exception)
  }

  end(time?: TimeInput): void {
    const { table, slot } = this
    if (table.owner[slot] !== this.serial) {
      table.lateCalls++
      return
    }
    const { host } = table
    const end = time === undefined ? host.now() : host.at(time)
    table.owner[slot] = 0
    // Never before the start: a negative duration would break every consumer.
    table.ends[slot] = Math.max(end, table.starts[slot]!)
    host.ended(table, slot)
  }

  #details(): SpanDetails | null {
    const { table, slot } = this
    if (table.owner[slot] === this.serial) return (table.details[slot] ??= new SpanDetails())
    table.lateCalls++
    return null
  }
}
