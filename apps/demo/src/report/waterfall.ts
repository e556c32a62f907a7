/** A finished span, reduced to what a waterfall shows. Times in milliseconds on one time line. */
export interface FinishedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly start: number
  readonly end: number
  readonly failed: boolean
}

const width = 48

/**
 * Draws a trace, one line per span, children below their parents in order of start.
 *
 * @returns lines without trailing spaces
 */
export function waterfall(spans: readonly FinishedSpan[]): string[] {
  const ids = new Set(spans.map(span => span.spanId))
  const children = Map.groupBy(
    spans.toSorted((a, b) => a.start - b.start || b.end - a.end),
    span => (span.parentSpanId && ids.has(span.parentSpanId) ? span.parentSpanId : ''),
  )
  const start = Math.min(...spans.map(span => span.start))
  const end = Math.max(...spans.map(span => span.end))
  const scale = width / Math.max(end - start, Number.EPSILON)
  const lines: { label: string; bar: string; time: string }[] = []
  const draw = (parent: string, depth: number) => {
    for (const span of children.get(parent) ?? []) {
      const from = Math.min(width - 1, Math.floor((span.start - start) * scale))
      const length = Math.max(1, Math.round((span.end - span.start) * scale))
      lines.push({
        label: `${'  '.repeat(depth)}${span.name}${span.failed ? ' (failed)' : ''}`,
        bar: ' '.repeat(from) + '▇'.repeat(Math.min(length, width - from)),
        time: `${(span.end - span.start).toFixed(1)} ms`,
      })
      draw(span.spanId, depth + 1)
    }
  }
  draw('', 0)
  const labels = Math.min(44, Math.max(...lines.map(line => line.label.length)))
  const times = Math.max(...lines.map(line => line.time.length))
  return lines.map(({ label, bar, time }) =>
    `${shorten(label, labels)}  ${time.padStart(times)}  ${bar}`.trimEnd(),
  )
}

const shorten = (label: string, length: number): string =>
  label.length > length ? `${label.slice(0, length - 1)}…` : label.padEnd(length)
