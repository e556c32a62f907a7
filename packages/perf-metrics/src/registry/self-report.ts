import type { Catalog } from './catalog.ts'

/** The registry's own counters, which exist once there is something to say. */
export function reportItself(catalog: Catalog, collectFailures: number): void {
  const report = (what: string, help: string, metric: string, total: number): void => {
    if (total === 0) return
    const options = { help, labels: ['metric'], maxSeries: 1_000_000 }
    catalog.counter(`millrace_metrics_${what}_total`, options).bind({ metric }).observeTotal(total)
  }
  for (const family of [...catalog.families()]) {
    const { name } = family.description
    report('rejected', 'Updates dropped for their value', name, family.rejected)
    report('mislabelled', 'Updates dropped for their labels', name, family.mislabelled)
    report('overflow', 'Updates without a series of their own', name, family.overflowed)
  }
  if (collectFailures > 0) {
    const options = { help: 'Collectors that threw' }
    catalog
      .counter('millrace_metrics_collect_failures_total', options)
      .only.observeTotal(collectFailures)
  }
}
