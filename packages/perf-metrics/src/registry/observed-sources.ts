import {
  type ObservedPart,
  type ObserveOptions,
  readStats,
  type StatsSource,
} from '../collect/stats-source.ts'
import { InvalidOptionError } from '../errors.ts'
import type { Family } from '../instrument/family.ts'
import type { Series } from '../instrument/series.ts'
import { validateMetricName } from '../name.ts'
import type { Catalog } from './catalog.ts'
import type { Collectors } from './collectors.ts'
import { type Registration, registration } from './registration.ts'

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
    if (typeof source?.stats !== 'function') {
      throw new InvalidOptionError('source', 'an object with a stats() method', source)
    }
    validateMetricName(name)
    const observed = { name, source, labels: options.labels ?? {} }
    this.#observed.add(observed)
    const collecting = this.#collectors.add(() => this.#collect(observed, options.counters))
    return registration(() => {
      collecting.remove()
      this.#observed.delete(observed)
    })
  }

  #collect({ name, labels, source }: Observed, counters: ObserveOptions['counters']): void {
    for (const field of readStats(source.stats(), counters)) {
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
