import {
  checkInteger,
  checkIntegerOrInfinity,
  type OptionRules,
  type Resolved,
  withDefault,
} from '@millrace/kit'
import { AttributeList } from '../attributes/attribute-list.ts'

/** How much one span may hold. What exceeds a limit is dropped and counted in the exported span. */
export interface SpanLimits {
  /** Distinct attributes of a span. Default: 128 */
  readonly attributes?: number | undefined
  /** Events of a span; later ones are dropped. Default: 128 */
  readonly events?: number | undefined
  /** Links of a span. Default: 128 */
  readonly links?: number | undefined
  /** Distinct attributes of an event. Default: 128 */
  readonly attributesPerEvent?: number | undefined
  /** Distinct attributes of a link. Default: 128 */
  readonly attributesPerLink?: number | undefined
  /** Characters of a string value, bytes of a byte value. Default: Infinity */
  readonly valueLength?: number | undefined
}

/** More could not be counted in an array anyway. */
const MAX_LIMIT = 1_000_000_000

const COUNT = withDefault(128, checkInteger, 0, MAX_LIMIT)

export const LIMIT_RULES: OptionRules<SpanLimits> = {
  attributes: COUNT,
  events: COUNT,
  links: COUNT,
  attributesPerEvent: COUNT,
  attributesPerLink: COUNT,
  valueLength: withDefault(Infinity, checkIntegerOrInfinity, 0),
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

  constructor(limits: Resolved<SpanLimits>, lazy: boolean) {
    this.attributes = limits.attributes
    this.events = limits.events
    this.links = limits.links
    this.attributesPerEvent = limits.attributesPerEvent
    this.attributesPerLink = limits.attributesPerLink
    this.valueLength = limits.valueLength
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
