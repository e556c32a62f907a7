/** The grammar of OpenMetrics 2.0.0-rc0 for what this package writes, rule by rule from the ABNF of the specification. */
const ESCAPED = String.raw`(?:[^\n"\\]|\\[n"\\])*`
const REAL = String.raw`[+-]?(?:\d+(?:\.\d*)?|\d*\.\d+)(?:e[+-]?\d+)?`
const NUMBER = String.raw`(?:${REAL}|[+-]?Inf|NaN)`
const QUOTED = String.raw`"${ESCAPED}"`
const METRIC_NAME = String.raw`[a-zA-Z_:][a-zA-Z0-9_:]*`
const LABEL = String.raw`(?:[a-zA-Z_][a-zA-Z0-9_]*|${QUOTED})=${QUOTED}`
const LABELS = String.raw`\{(?:${LABEL}(?:,${LABEL})*)?\}`
const NAME_AND_LABELS = String.raw`(?:${METRIC_NAME}(?:${LABELS})?|\{${QUOTED}(?:,${LABEL})*\})`
const NATIVE = String.raw`schema:(?<schema>-?\d+),zero_threshold:${REAL},zero_count:(?<zeros>${NUMBER})(?:,positive_spans:\[(?<spans>-?\d+:\d+(?:,\d+:\d+)*)\],positive_buckets:\[(?<counts>${NUMBER}(?:,${NUMBER})*)\])?`
const CLASSIC = String.raw`bucket:\[(?<buckets>(?:${REAL}:${NUMBER},)*\+Inf:${NUMBER})\]`
const COMPOSITE = String.raw`\{count:(?<count>${NUMBER}),sum:(?<sum>${NUMBER}),${NATIVE},${CLASSIC}\}`
const EXEMPLAR = String.raw` # ${LABELS} ${NUMBER} ${REAL}`

const METADATA = new RegExp(
  String.raw`^# (?:TYPE (?:${METRIC_NAME}|${QUOTED}) (?:counter|gauge|histogram)|HELP (?:${METRIC_NAME}|${QUOTED}) ${ESCAPED}|UNIT (?:${METRIC_NAME}|${QUOTED}) \w+)$`,
)
const SAMPLE = new RegExp(
  String.raw`^(?<series>${NAME_AND_LABELS}) (?:(?<number>${NUMBER})|${COMPOSITE})(?: st@(?<start>${REAL}))?(?<exemplars>(?:${EXEMPLAR})*)$`,
)

export interface CompositeSample {
  readonly series: string
  /** The number, where it is no histogram. */
  readonly value: number | undefined
  readonly start: number | undefined
  readonly exemplars: readonly { readonly labels: string; value: number; timestamp: number }[]
  readonly histogram: CompositeHistogram | undefined
}

export interface CompositeHistogram {
  readonly count: number
  readonly sum: number
  readonly schema: number
  readonly zeros: number
  /** Native buckets by index, without the empty. */
  readonly native: ReadonlyMap<number, number>
  /** Classic buckets: bound and cumulative count. */
  readonly classic: readonly (readonly [string, number])[]
}

/** Reads an exposition. Throws on a line that the grammar does not have, and where parts of a histogram disagree. */
export function readOpenMetrics2(text: string): CompositeSample[] {
  if (!text.endsWith('# EOF\n')) throw new SyntaxError('There is no end')
  const samples: CompositeSample[] = []
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    if (line.startsWith('#')) {
      if (!METADATA.test(line)) throw new SyntaxError(`Not metadata: ${line}`)
      continue
    }
    const groups = SAMPLE.exec(line)?.groups
    if (groups === undefined) throw new SyntaxError(`Not a sample: ${line}`)
    const { series, number, start, exemplars } = groups
    samples.push({
      series: series!,
      value: number === undefined ? undefined : Number(number),
      start: start === undefined ? undefined : Number(start),
      exemplars: [
        ...exemplars!.matchAll(new RegExp(` # (${LABELS}) (${NUMBER}) (${REAL})`, 'g')),
      ].map(([, labels, value, timestamp]) => ({
        labels: labels!,
        value: Number(value),
        timestamp: Number(timestamp),
      })),
      histogram: groups.count === undefined ? undefined : histogramOf(groups),
    })
  }
  return samples
}

function histogramOf(groups: Record<string, string | undefined>): CompositeHistogram {
  const native = new Map<number, number>()
  const counts = groups.counts?.split(',').map(Number) ?? []
  let index = 0
  let next = 0
  for (const span of groups.spans?.split(',') ?? []) {
    const [offset, length] = span.split(':').map(Number)
    index += offset!
    for (let i = 0; i < length!; i++, index++, next++) {
      if (counts[next] !== 0) native.set(index, counts[next]!)
    }
  }
  if (next !== counts.length) throw new SyntaxError('Spans and buckets differ in length')
  const classic = groups
    .buckets!.split(',')
    .map(bucket => bucket.split(':') as [string, string])
    .map(([le, count]) => [le, Number(count)] as const)
  const count = Number(groups.count)
  const zeros = Number(groups.zeros)
  const sum = counts.reduce((a, b) => a + b, zeros)
  if (sum !== count) throw new SyntaxError(`Native buckets hold ${sum} of ${count}`)
  if (classic.at(-1)![1] !== count) throw new SyntaxError('The open bucket is not the count')
  return { count, sum: Number(groups.sum), schema: Number(groups.schema), zeros, native, classic }
}
