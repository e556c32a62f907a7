import { checkList, checkMethods, checkOptions, checkRecord } from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import type { Family } from '../instrument/family.ts'
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
  type StatsSource,
} from './stats-source.ts'

interface Observed {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly source: StatsSource
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
    const observed = { name, source, labels }
    this.#observed.add(observed)
    const collecting = this.#collectors.add(() => this.#collect(observed, counters))
    return registration(() => {
      collecting.close()
      this.#observed.delete(observed)
    })
  }

  #collect({ name, labels, source }: Observed, counters: ObserveOptions['counters']): void {
    for (const field of readStats(source, counters)) {
      const values = field.kind === undefined ? labels : { ...labels, kind: field.kind }
      const definition = { labels: Object.keys(values), help: `${field.name} of ${name}` }
      if (field.counter) {
        const family = this.#catalog.counter(`${name}_${field.name}_total`, definition)
        seriesOf(family, values).observeTotal(field.value)
      } else {
        const family = this.#catalog.gauge(`${name}_${field.name}`, definition)
        seriesOf(family, values).set(field.value)
      }
    }
  }

  /** Each source with its stats as of now. One whose `stats()` throws is left out: collecting has counted it. */
  parts(): ObservedPart[] {
    const parts: ObservedPart[] = []
    for (const { name, labels, source } of this.#observed) {
      try {
        parts.push({ name, labels, stats: source.stats() })
      } catch {
        // Counted when it is collected.
      }
    }
    return parts
  }
}

function seriesOf<S extends Series>(
  family: Family<S>,
  labels: Readonly<Record<string, string>>,
): S {
  return family.description.labelNames.length === 0 ? family.only : family.bind(labels)
}
