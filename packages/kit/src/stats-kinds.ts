/**
 * What a number of `stats()` is.
 * - `counter`: only grows
 * - `gauge`: what holds at the moment
 * - `milliseconds`: a sum of ms that only grows
 */
export type StatsKind = 'counter' | 'gauge' | 'milliseconds'

/** The kind of every number in `S`. A nested object has one kind for all its numbers, or is described in turn. */
export type StatsKinds<S> = {
  readonly [K in keyof S as S[K] extends Describable ? K : never]: Required<S>[K] extends number
    ? StatsKind
    : StatsKind | StatsKinds<Required<S>[K]>
}

type Describable = number | object | undefined

const KINDS = Symbol.for('@millrace/stats')

/**
 * Says what the numbers of `source.stats()` are, for perf-metrics or any other reader of `Symbol.for('@millrace/stats')`. It stands on
 * the prototype: an object pays nothing for it.
 *
 * @param source a prototype, or an object of its own
 */
export function describeStats<S extends object>(
  source: { stats(): S },
  kinds: StatsKinds<S>,
): void {
  Object.defineProperty(source, KINDS, { value: kinds })
}

/** Says of each of `names` that it is a gauge, to be spread into {@link StatsKinds}. */
export function gauges<K extends string>(...names: readonly K[]): Readonly<Record<K, 'gauge'>> {
  return Object.fromEntries(names.map(name => [name, 'gauge'])) as Record<K, 'gauge'>
}

/** As {@link gauges}, of counters. */
export function counters<K extends string>(...names: readonly K[]): Readonly<Record<K, 'counter'>> {
  return Object.fromEntries(names.map(name => [name, 'counter'])) as Record<K, 'counter'>
}

/** What {@link describeStats} said of `source` or its prototype. */
export function statsKindsOf(source: object): StatsKinds<Record<string, unknown>> | undefined {
  return (source as { readonly [KINDS]?: StatsKinds<Record<string, unknown>> })[KINDS]
}
