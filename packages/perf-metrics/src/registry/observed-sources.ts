import { checkList, checkMethods, checkOptions, checkRecord } from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import type { CounterSeries } from '../instrument/counter.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { Series } from '../instrument/series.ts'
import { validateMetricName } from '../metric/name.ts'
import type { Catalog } from './catalog.ts'
import type { Collectors } from './collectors.ts'
import { type Registration, registration } from './registration.ts'
import {
  OBSERVE_OPTIONS,
  type ObservedPart,
  type ObserveOptions,
  readStats,
  type StatsField,
  type StatsSource,
  statsOf,
} from './stats-source.ts'

interface Observed {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly source: StatsSource
  /** By field, as it was when it was last looked for. */
  readonly targets: Map<string, Target>
}

/** The metric that a field goes to, and its labels. The metric may have been removed since. */
interface Target {
  readonly metric: string
  readonly counter: boolean
  readonly family: Family
  readonly labels: Readonly<Record<string, string>>
}

/** The objects whose `stats()` become metrics. */
export class ObservedSources {
  readonly #catalog: Catalog
  readonly #collectors: Collectors
  readonly #observed = new Set<Observed>()

  constructor(catalog: Catalog, collectors: Collectors) {
    this.#catalog = catalog
    this.#collectors = collectors
  }

  add(name: string, source: StatsSource, options: ObserveOptions): Registration {
    checkMethods('source', source, 'an object', ['stats'])
    const { labels = {}, counters } = checkOptions('observe', options, OBSERVE_OPTIONS)
    for (const [label, value] of Object.entries(checkRecord('observe.labels', labels))) {
      if (typeof value !== 'string') {
        throw new InvalidOptionError(`observe.labels.${label}`, 'a string', value)
      }
    }
    if (counters !== undefined) checkList('observe.counters', counters, 'a list of fields')
    validateMetricName(name)
    const observed = { name, source, labels, targets: new Map() }
    this.#observed.add(observed)
    const collect = (): void => this.#collect(observed, counters)
    const collecting = this.#collectors.add(collect, [`${name}_`], name)
    return registration(() => {
      collecting.close()
      this.#observed.delete(observed)
    })
  }

  #collect(observed: Observed, counters: ObserveOptions['counters']): void {
    const { source, targets } = observed
    for (const field of readStats(source, counters)) {
      const { key, counter, value } = field
      let target = targets.get(key)
      if (target?.counter !== counter || this.#catalog.get(target.metric) !== target.family) {
        target = this.#targetOf(observed, field)
        targets.set(key, target)
      }
      const series = seriesOf(target.family, target.labels)
      if (counter) (series as CounterSeries).observeTotal(value)
      else (series as GaugeSeries).set(value)
    }
  }

  #targetOf({ name, labels: own }: Observed, { name: field, kind, counter }: StatsField): Target {
    const labels = kind === undefined ? own : { ...own, kind }
    const definition = { labels: Object.keys(labels), help: `${field} of ${name}` }
    const metric = counter ? `${name}_${field}_total` : `${name}_${field}`
    const family = (
      counter ? this.#catalog.counter(metric, definition) : this.#catalog.gauge(metric, definition)
    ) as Family
    return { metric, counter, family, labels }
  }

  /** Each source with its stats as of now, copied. One whose `stats()` cannot be read is left out: collecting has counted it. */
  parts(): ObservedPart[] {
    const parts: ObservedPart[] = []
    for (const { name, labels, source } of this.#observed) {
      try {
        parts.push({ name, labels, stats: copyOf(statsOf(source)) })
      } catch {
        // Counted when it is collected.
      }
    }
    return parts
  }
}

/** Levels of objects in stats: fields, what they have by kind, and what has numbers of its own, such as an origin of a pool. */
const LEVELS = 3

/** Stats with nothing left in them that could throw when it is read. Throws what reading them does. */
function copyOf(stats: object, levels: number = LEVELS): object {
  const entries = Object.entries(stats).map(([field, value]: [string, unknown]) => {
    const nested = typeof value === 'object' && value !== null && !Array.isArray(value)
    return [field, nested && levels > 1 ? copyOf(value, levels - 1) : value] as const
  })
  return Object.fromEntries(entries)
}

function seriesOf<S extends Series>(
  family: Family<S>,
  labels: Readonly<Record<string, string>>,
): S {
  return family.description.labelNames.length === 0 ? family.only : family.bind(labels)
}
