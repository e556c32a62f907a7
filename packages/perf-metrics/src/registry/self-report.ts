import { allRejections } from '../instrument/series.ts'
import type { Catalog } from './catalog.ts'

const PREFIX = 'millrace_metrics_'

/** Whether a metric is one of the registry's own. */
export const isSelfReport = (metric: string): boolean => metric.startsWith(PREFIX)

/** The registry's own counters, which exist once there is something to say. */
export class SelfReport {
  readonly #catalog: Catalog
  #seenRejections = allRejections()

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** Brings the counters up to date. O(metrics), and O(series) where an update was refused since the last time. */
  update(collectFailures: number): void {
    const rejections = allRejections()
    for (const family of [...this.#catalog.families()]) {
      const { name } = family.description
      if (rejections !== this.#seenRejections) {
        this.#report('rejected', 'Updates dropped for their value', name, family.rejected)
      }
      this.#report('mislabelled', 'Updates dropped for their labels', name, family.mislabelled)
      this.#report('overflow', 'Updates without a series of their own', name, family.overflowed)
    }
    this.#seenRejections = rejections
    if (collectFailures === 0) return
    const options = { help: 'Collectors that threw' }
    this.#catalog
      .counter(`${PREFIX}collect_failures_total`, options)
      .only.observeTotal(collectFailures)
  }

  #report(what: string, help: string, metric: string, total: number): void {
    if (total === 0) return
    const options = { help, labels: ['metric'], maxSeries: 1_000_000 }
    const family = this.#catalog.counter(`${PREFIX}${what}_total`, options)
    family.bind({ metric }).observeTotal(total)
  }
}
