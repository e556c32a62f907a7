import type { AttributeList } from '../attributes/attribute-list.ts'
import { nameText } from './name-text.ts'
import type { Attributes, Link, SpanContext } from './span.ts'
import type { ResolvedLimits } from './span-limits.ts'

/** Something that happened during a span. */
export interface SpanEvent {
  readonly name: string
  /** Milliseconds on the tracer's clock. */
  readonly time: number
  readonly attributes: AttributeList | null
  /** What was thrown, for `exception` events: its type, message and stack are read at export. */
  readonly error: unknown
}

/** A reference to another span. */
export interface SpanLink {
  readonly context: SpanContext
  readonly attributes: AttributeList | null
}

/** What only some spans have: made on first use. */
export class SpanDetails {
  readonly events: SpanEvent[] = []
  readonly links: SpanLink[] = []
  droppedEvents = 0
  droppedLinks = 0
  statusMessage = ''

  addEvent(
    limits: ResolvedLimits,
    name: string,
    time: number,
    attributes: Attributes | undefined,
    error?: unknown,
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
    this.events.push({ name: nameText(name), time, attributes: list, error })
  }

  addLink(limits: ResolvedLimits, link: Link): void {
    const context = contextOf(link)
    if (context === undefined) return
    if (this.links.length >= limits.links) {
      this.droppedLinks++
      return
    }
    let list: AttributeList | null = null
    if (link.attributes !== undefined) {
      list = limits.forLink()
      list.setAll(link.attributes)
    }
    this.links.push({ context, attributes: list })
  }
}

/** The linked context; undefined where it names no span, or where reading it throws. */
function contextOf(link: Link): SpanContext | undefined {
  try {
    const { context } = link
    const isValid = typeof context?.traceId === 'string' && typeof context.spanId === 'string'
    return isValid ? context : undefined
  } catch {
    return undefined
  }
}
