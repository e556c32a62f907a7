import { KEPT } from '../bytes/byte-pool.ts'
import type { Family } from '../instrument/family.ts'
import type { TextFormat } from './exposition-format.ts'
import { bound, familyName, labelNames, sample } from './text-parts.ts'

/** Where labels go; no name contains it. */
const MARK = '\0'

/** A line up to its value, before and after the labels. */
export interface LineParts {
  readonly head: Uint8Array
  readonly tail: Uint8Array
}

/** What the lines of all series of one metric have in common. */
export interface LineShape {
  readonly format: TextFormat
  /** The labels as they stand before `=`. */
  readonly labels: readonly string[]
  /** One line; of a histogram one for each bucket, then the count and the sum, each with the line end before it. */
  readonly lines: readonly LineParts[]
  /** Bytes of a line without its labels and its value. */
  readonly lengths: Uint32Array
  /** The line that says when a series began, where the format has one. */
  readonly created: LineParts | undefined
}

/** The shape of a metric's lines, kept with the metric. */
export function shapeOf(family: Family, format: TextFormat): LineShape {
  const kept = family.text as LineShape | undefined
  if (kept?.format === format) return kept
  const shape = lineShape(family, format)
  family.text = shape
  return shape
}

function lineShape(family: Family, format: TextFormat): LineShape {
  const { type, buckets } = family.description
  const name = familyName(family, format)
  const labels = labelNames(family, format)
  const marks = labels.length === 0 ? [] : [MARK]
  const open = format.kind === 'openmetrics'
  const samples: string[] = []
  if (type === 'histogram') {
    for (const le of [...buckets, Infinity]) {
      samples.push(sample(`${name}_bucket`, [...marks, `le="${bound(le, format)}"`]))
    }
    samples.push(sample(`${name}_count`, marks), sample(`${name}_sum`, marks))
  } else samples.push(sample(open && type === 'counter' ? `${name}_total` : name, marks))
  const lines = samples.map((line, i) => parts(i === 0 ? line : `\n${line}`))
  return {
    format,
    labels,
    lines,
    lengths: Uint32Array.from(lines, ({ head, tail }) => head.length + tail.length),
    created:
      open && (type === 'histogram' || type === 'counter')
        ? parts(sample(`${name}_created`, marks))
        : undefined,
  }
}

function parts(line: string): LineParts {
  const [head, tail = ''] = `${line} `.split(MARK) as [string, string?]
  return { head: KEPT.text(head), tail: KEPT.text(tail) }
}
