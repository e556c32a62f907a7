import { checkInteger, checkIntegerOrInfinity, checkOptions, type OptionNames } from '@millrace/kit'
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

const NAMES: OptionNames<SpanLimits> = {
  attributes: true,
  events: true,
  links: true,
  attributesPerEvent: true,
  attributesPerLink: true,
  valueLength: true,
}

/** More could not be counted in an array anyway. */
const MAX_LIMIT = 1_000_000_000

/** @throws InvalidOptionError */
export function checkLimits(limits: SpanLimits): void {
  const { valueLength, ...counts } = checkOptions('limits', limits, NAMES)
  if (valueLength !== undefined) checkIntegerOrInfinity('limits.valueLength', valueLength, 0)
  for (const [name, count] of Object.entries(counts)) {
    if (count !== undefined) checkInteger(`limits.${name}`, count, 0, MAX_LIMIT)
  }
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
    this.valueLength = limits.valueLength ?? Infinity
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
