import { heed, type OptionNames, type StatsKind, statsKindsOf } from '@millrace/kit'

/** Anything that can report its numbers: a cache, a limiter, a pool. */
export interface StatsSource {
  stats(): object
}

export interface ObserveOptions {
  /** Labels to put on every metric of this source, so that several sources share the metrics' names. Default: none */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /**
   * Fields that only grow; everything else is a gauge. Default: what the source says of itself under
   * `Symbol.for('@millrace/stats')`, else fields whose last word is in {@link COUNTER_WORDS}
   */
  readonly counters?: readonly string[] | undefined
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

export const OBSERVE_OPTIONS: OptionNames<ObserveOptions> = { labels: true, counters: true }

/** One number of a source, with what names it. */
export interface StatsField {
  /** What tells it from the source's other fields. */
  readonly key: string
  /** Suffix of the metric's name, in snake case. */
  readonly name: string
  readonly counter: boolean
  /** Key within a nested object, which becomes the label `kind`. */
  readonly kind: string | undefined
  readonly value: number
}

/** @throws TypeError where they are not there at once, and what `stats()` throws */
export function statsOf(source: StatsSource): object {
  const stats = source.stats()
  if (heed(stats)) throw new TypeError('Stats must be there at once')
  return stats
}

interface Kinds {
  readonly [field: string]: StatsKind | Kinds
}

/**
 * The numbers of `source.stats()`, one level of nesting deep. What is no number or boolean, or is `NaN`, is left out. Sums of milliseconds become
 * seconds.
 */
export function* readStats(
  source: StatsSource,
  counters: readonly string[] | undefined,
): Generator<StatsField> {
  const described = counters === undefined ? (statsKindsOf(source) as Kinds | undefined) : undefined
  const kindOf = (field: string): StatsKind | Kinds => {
    if (described !== undefined) return described[field] ?? 'gauge'
    const grows = counters ? counters.includes(field) : COUNTER_WORDS.has(lastWord(field))
    return grows ? 'counter' : 'gauge'
  }
  for (const [field, value] of Object.entries(statsOf(source))) {
    const kind = kindOf(field)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      yield* readNested(field, value, kind)
    } else if (isNumber(value)) yield numberField(field, value, kind)
    else if (typeof value === 'boolean') yield numberField(field, Number(value), 'gauge')
  }
}

/** Numbers of one kind share a metric; an object that describes each of its fields has one for each. */
function* readNested(
  field: string,
  values: object,
  kind: StatsKind | Kinds,
): Generator<StatsField> {
  for (const [key, value] of Object.entries(values)) {
    if (!isNumber(value)) continue
    if (typeof kind === 'string') yield numberField(field, value, kind, key)
    else yield numberField(`${field}_${key}`, value, kind[key] ?? 'gauge')
  }
}

/** `NaN` is the ratio of nothing to nothing: as a metric it would begin as 0. */
function isNumber(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value)
}

function numberField(
  field: string,
  value: number,
  statsKind: StatsKind | Kinds,
  kind?: string,
): StatsField {
  const name = snakeCase(field)
  const key = kind === undefined ? field : `${field} ${kind}`
  return statsKind === 'milliseconds'
    ? { key, name: `${name}_seconds`, counter: true, kind, value: value / 1000 }
    : { key, name, counter: statsKind === 'counter', kind, value }
}

/** Fields in snake case, of which there are as many as the program's sources have: they are asked for at every collection. */
const SNAKES = new Map<string, string>()
const MOST_SNAKES = 2_000

function snakeCase(field: string): string {
  let snake = SNAKES.get(field)
  if (snake === undefined) {
    snake = field.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
    if (SNAKES.size < MOST_SNAKES) SNAKES.set(field, snake)
  }
  return snake
}

function lastWord(field: string): string {
  return snakeCase(field).split('_').at(-1)!
}
