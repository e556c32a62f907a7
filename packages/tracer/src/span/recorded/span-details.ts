import type { Attributes, Link, SpanContext } from '../api/span.ts'
import type { AttributeList } from '../attributes/attribute-list.ts'
import { W3CTraceState } from '../ids/trace-state.ts'
import { nameText } from '../inputs.ts'
import type { ResolvedLimits } from './span-limits.ts'

/** Something that happened during a span. */
export interface SpanEvent {
  readonly name: string
  /** Milliseconds on the tracer's clock. */
  readonly time: number
  /** Nanoseconds since 1970 where the time was given with them. */
  readonly nanos: bigint | undefined
  readonly attributes: AttributeList | null
}

/** A reference to another span. */
export interface SpanLink {
  readonly context: SpanContext
  readonly attributes: AttributeList | null
}

/** A time as spans keep it. */
export type Moment = Pick<SpanEvent, 'time' | 'nanos'>

/** What only some spans have: made on first use. */
export class SpanDetails {
  readonly events: SpanEvent[] = []
  readonly links: SpanLink[] = []
  droppedEvents = 0
  droppedLinks = 0
  statusMessage = ''
  /** Nanoseconds since 1970 where start or end were given with them. */
  startNanos: bigint | undefined = undefined
  endNanos: bigint | undefined = undefined

  /** @internal */
  addEvent(
    limits: ResolvedLimits,
    name: string,
    { time, nanos }: Moment,
    attributes: Attributes | undefined,
  ): void {
    if (this.events.length >= limits.events) {
      this.droppedEvents++
      return
    }
    let list: AttributeList | null = null
    if (attributes !== undefined) {
      list = limits.forEvent()
      list.setAll(attributes)
    }
    this.events.push({ name: nameText(name), time, nanos, attributes: list })
  }

  /** @internal */
  addLink(limits: ResolvedLimits, link: Link): void {
    const copied = copyLink(link)
    if (copied === undefined) return
    if (this.links.length >= limits.links) {
      this.droppedLinks++
      return
    }
    let list: AttributeList | null = null
    const { context, attributes } = copied
    if (attributes !== undefined) {
      list = limits.forLink()
      list.setAll(attributes)
    }
    this.links.push({ context, attributes: list })
  }
}

/**
 * A link as it is now, so that no foreign code runs at export; undefined where it names no span, or where reading it throws.
 */
function copyLink(link: Link): Link | undefined {
  try {
    const { context, attributes } = link
    const { traceId, spanId, traceFlags, isRemote } = context
    if (typeof traceId !== 'string' || typeof spanId !== 'string') return undefined
    const copy: SpanContext = { traceId, spanId, traceFlags: traceFlags & 0xff }
    if (isRemote === true) copy.isRemote = true
    const traceState = W3CTraceState.from(context.traceState)
    if (traceState !== undefined) copy.traceState = traceState
    return attributes === undefined ? { context: copy } : { context: copy, attributes }
  } catch {
    return undefined
  }
}
