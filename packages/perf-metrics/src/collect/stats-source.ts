/** Anything that can report its numbers: a cache, a limiter, a pool. */
export interface StatsSource {
  stats(): object
}

export interface ObserveOptions {
  /** Labels to put on every metric of this source, so that several sources share the metrics' names. */
  labels?: Readonly<Record<string, string>>
  /**
   * Fields that only ever grow. Default: those whose last word says so, such as `hits`, `loadFailures`, `evicted`
   * ({@link COUNTER_WORDS}); everything else is a gauge.
   */
  counters?: readonly string[]
}

/** An observed object and what it reports at the moment. */
export interface ObservedPart {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly stats: object
}

/** Last words of the names of fields that are taken for counters. */
export const COUNTER_WORDS: ReadonlySet<string> = new Set(
  (
    'aborts aborted accepted acquired admissions admitted attempts coalesced commands completed conflicts created ' +
    'deduplicated deletes denied dropped ended errors evicted evictions expirations expired exported failed failures ' +
    'forfeited fulfilled granted hits inserted insertions invalidations loads lost misses parses passed published ' +
    'received reconnects recomputed recorded reads refreshes refunded refusals refused rejected rejections reloads ' +
    'removals removed replayed requests responses retries revalidations sampled scheduled sent sets started stored ' +
    'stores submitted succeeded successes timeouts trips unsampled updates writes'
  ).split(' '),
)

/** One number of a source, with what names it. */
export interface StatsField {
  /** Suffix of the metric's name, in snake case. */
  readonly name: string
  readonly counter: boolean
  /** Key within a nested object, which becomes the label `kind`. */
  readonly kind: string | undefined
  readonly value: number
}

/** The numbers in `stats`, one level of nesting deep. What is no number or boolean is left out. */
export function* readStats(
  stats: object,
  counters: readonly string[] | undefined,
): Generator<StatsField> {
  for (const [field, value] of Object.entries(stats)) {
    const counter = counters ? counters.includes(field) : COUNTER_WORDS.has(lastWord(field))
    const name = snakeCase(field)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [kind, nested] of Object.entries(value)) {
        if (typeof nested === 'number') yield { name, counter, kind, value: nested }
      }
    } else if (typeof value === 'number') yield { name, counter, kind: undefined, value }
    else if (typeof value === 'boolean') {
      yield { name, counter: false, kind: undefined, value: Number(value) }
    }
  }
}

function snakeCase(field: string): string {
  return field.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
}

function lastWord(field: string): string {
  return snakeCase(field).split('_').at(-1)!
}
