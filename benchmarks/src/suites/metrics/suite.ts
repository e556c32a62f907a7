import { defineCase, defineSuite } from '../../define.ts'
import { built, checkImport, importTime, installed } from '../../measure/import-time.ts'
import { millrace, openTelemetry, promClient15, promClient16 } from './contenders/instruments.ts'
import { allocation, checkAllocation } from './workloads/allocation.ts'
import {
  boundCounter,
  boundHistogram,
  checkOperations,
  labelledCounter,
  labelledHistogram,
  mixedCounter,
} from './workloads/counting.ts'
import { counterInCompany } from './workloads/in-company.ts'
import { checkFirstScrape, longestBlock } from './workloads/longest-block.ts'
import { checkNoop, emptyCall, noopCounter } from './workloads/noop.ts'
import { arithmetic, checkSeries, longestFrame, longestPush } from './workloads/pushes.ts'
import { checkScrape, scrape } from './workloads/scrape.ts'

/** The same workload for every peer. */
function each<R>(workload: (library: typeof millrace) => R): Record<string, R> {
  return {
    '@prometheus-io/client': workload(promClient16),
    'prom-client': workload(promClient15),
    OpenTelemetry: workload(openTelemetry),
  }
}

export default defineSuite({
  name: 'metrics',
  description:
    'Each figure is the median of the rounds (5, or 1 to 5 with `--quick`), each in a process of its own, ours and the peers in turn. Metrics have three labels and, where they are histograms, the same eleven bounds; ours keep an exponential histogram of 1 % precision besides. What was counted is compared with each library’s own export. OpenTelemetry has no bound instruments: it gets an attribute object made once.',
  versions: ['@prometheus-io/client', 'prom-client', '@opentelemetry/sdk-metrics'],
  headline: /^(counter, bound|histogram, bound|scrape)$/,
  cases: [
    defineCase<number>({
      name: 'counter, bound',
      description: '`inc()` of a series resolved before',
      unit: 'ns/op',
      quickRounds: 2,
      goal: { '@prometheus-io/client': 25, OpenTelemetry: 25 },
      ours: boundCounter(millrace),
      peers: each(boundCounter),
      check: checkOperations,
    }),
    defineCase<number>({
      name: 'counter, labels',
      description: '`inc({ … })` with a label object written at the call, always the same',
      unit: 'ns/op',
      quickRounds: 1,
      goal: { '@prometheus-io/client': 8, OpenTelemetry: 8 },
      ours: labelledCounter(millrace),
      peers: each(labelledCounter),
      check: checkOperations,
    }),
    defineCase<number>({
      name: 'counter, mixed labels',
      description: '`inc({ … })` with one of 16 combinations in random order',
      unit: 'ns/op',
      quickRounds: 1,
      goal: { '@prometheus-io/client': 8, OpenTelemetry: 8 },
      ours: mixedCounter(millrace),
      peers: each(mixedCounter),
      check: checkOperations,
    }),
    defineCase<number>({
      name: 'in company, counter, mixed labels',
      description:
        'the same while counters of two libraries with one to five labels are used in turn; only the one in question is timed',
      unit: 'ns/op',
      quickRounds: 1,
      goal: { '@prometheus-io/client': 6, OpenTelemetry: 6 },
      ours: counterInCompany(millrace),
      peers: each(counterInCompany),
      check: checkOperations,
    }),
    defineCase<number>({
      name: 'histogram, bound',
      description: '`observe(value)` of a series resolved before, log-normal values',
      unit: 'ns/op',
      quickRounds: 2,
      goal: { '@prometheus-io/client': 15, OpenTelemetry: 15 },
      ours: boundHistogram(millrace),
      peers: each(boundHistogram),
      check: checkOperations,
    }),
    defineCase<number>({
      name: 'histogram, labels',
      description: '`observe({ … }, value)` with a label object written at the call',
      unit: 'ns/op',
      quickRounds: 1,
      ours: labelledHistogram(millrace),
      peers: each(labelledHistogram),
      check: checkOperations,
    }),
    defineCase<number>({
      name: 'allocation',
      description: 'heap bytes allocated per observation through a handle, over 1,000,000',
      unit: 'bytes/op',
      quickRounds: 1,
      limit: 1,
      ours: allocation(millrace),
      peers: each(allocation),
      check: checkAllocation,
    }),
    defineCase<string>({
      name: 'scrape',
      description: 'Prometheus text of 1,000 histogram series, all changed, per series',
      unit: 'ns/op',
      quickRounds: 2,
      goal: { '@prometheus-io/client': 10 },
      ours: scrape(millrace),
      peers: {
        '@prometheus-io/client': scrape(promClient16),
        'prom-client': scrape(promClient15),
      },
      check: checkScrape,
    }),
    defineCase<string>({
      name: 'scrape, longest block',
      description:
        'longest turn of the event loop during the first scrape of 20,000 histogram series',
      unit: 'ms',
      quickRounds: 1,
      limit: 5,
      ours: longestBlock(millrace),
      peers: {
        '@prometheus-io/client': longestBlock(promClient16),
        'prom-client': longestBlock(promClient15),
      },
      check: checkFirstScrape,
    }),
    defineCase<number>({
      name: 'push, longest block',
      description:
        'longest turn of the event loop during a push of 20,000 timings over OTLP; “arithmetic in slices” is a program that does nothing else, in slices as short as ours',
      unit: 'ms',
      // A longest turn is one draw of the machine's scheduler: of several the median.
      quickRounds: 5,
      limit: 5,
      ours: longestPush,
      peers: { 'arithmetic in slices': arithmetic },
      check: checkSeries,
    }),
    defineCase<number>({
      name: 'dashboard, longest block',
      description:
        'longest turn of the event loop during the first frames of 20,000 timings, beside the same',
      unit: 'ms',
      quickRounds: 5,
      limit: 5,
      ours: longestFrame,
      peers: { 'arithmetic in slices': arithmetic },
      check: checkSeries,
    }),
    defineCase<number>({
      name: 'disabled',
      description: '`inc()` with `enabled: false`, beside an empty method',
      unit: 'ns/op',
      quickRounds: 1,
      goal: 0.9,
      ours: noopCounter,
      peers: { 'empty call': emptyCall },
      check: checkNoop,
    }),
    defineCase<number>({
      name: 'import',
      description: 'time to import the published package in a fresh process',
      unit: 'ms',
      quickRounds: 1,
      limit: 5,
      ours: importTime(() => built('perf-metrics', 'index')),
      peers: {
        '@prometheus-io/client': importTime(() => installed('@prometheus-io/client')),
        'prom-client': importTime(() => installed('prom-client')),
        OpenTelemetry: importTime(() => installed('@opentelemetry/sdk-metrics')),
      },
      check: checkImport(6),
    }),
  ],
})
