import { AttributeList } from '../attributes/attribute-list.ts'

/** How much one span may hold. What exceeds a limit is dropped and counted in the exported span. */
export interface SpanLimits {
  /** Distinct attributes of a span. @default 128 */
  attributes?: number
  /** Events of a span; later ones are dropped. @default 128 */
  events?: number
  /** Links of a span. @default 128 */
  links?: number
  /** Distinct attributes of an event. @default 128 */
  attributesPerEvent?: number
  /** Distinct attributes of a link. @default 128 */
  attributesPerLink?: number
  /** Characters of a string value, bytes of a byte value. @default Infinity */
  valueLength?: number
}

/** Limits with defaults filled in, and the lists that obey them. */
export class ResolvedLimits {
  readonly attributes: number
  readonly events: number
  readonly links: number
  readonly attributesPerEvent: number
  readonly attributesPerLink: number
  readonly valueLength: number
  readonly lazy: boolean

  constructor(limits: SpanLimits, lazy: boolean) {
    this.attributes = limits.attributes ?? 128
    this.events = limits.events ?? 128
    this.links = limits.links ?? 128
    this.attributesPerEvent = limits.attributesPerEvent ?? 128
    this.attributesPerLink = limits.attributesPerLink ?? 128
    this.valueLength = limits.valueLength ?? Number.POSITIVE_INFINITY
    this.lazy = lazy
  }

  forSpan(lazy: boolean = this.lazy): AttributeList {
    return new AttributeList(this.attributes, this.valueLength, lazy)
  }

  forEvent(): AttributeList {
    return new AttributeList(this.attributesPerEvent, this.valueLength, this.lazy)
  }

  forLink(): AttributeList {
    return new AttributeList(this.attributesPerLink, this.valueLength, this.lazy)
  }
}
