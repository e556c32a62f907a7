import { describe, expect, it } from 'vitest'
import { collectRuntime, EventMetrics, instrumentChannels } from './collect.ts'
import { Dashboard } from './dashboard.ts'
import { grafanaDashboard } from './grafana.ts'
import { alertRules, Guard } from './guard.ts'
import { Registry, timed } from './index.ts'
import { OtlpMetricExporter } from './otlp.ts'
import { formatReport, performanceReport } from './report.ts'
import { ClusterReceiver, ClusterSender, claimLane, SharedLanes } from './workers.ts'

const secret = 'Bearer secret-0123456789'
/** Wrong wherever an object with methods or a function is expected. */
const noObject: readonly unknown[] = [null, 0, 5, secret, 5n, Symbol('s'), true, [], {}]
const noNumber: readonly unknown[] = [null, NaN, -1, secret, '5000', 5n, Symbol('s'), true, [], {}]
const noText: readonly unknown[] = [null, 5, 5n, Symbol('s'), true, [], {}, () => secret]
const noRecord: readonly unknown[] = [null, 5, secret, 5n, Symbol('s'), true, [], () => secret]

const METRICS = new Registry()
const LANES = new SharedLanes({ threads: 1 })
const RULE = { name: 'R', type: 'threshold', metric: 'a', above: 1 } as const
const ABOVE = { numerator: { metric: 'a' } }
const BURN = {
  name: 'R',
  type: 'burn-rate',
  objective: 0.9,
  errors: { metric: 'a' },
  total: [{ metric: 'a' }],
} as const
/** Selectors that would select every series. */
const MISSPELT = [{ metric: 'a', lables: {} }, { metric: 'a', above: 1 }, { metrics: 'a' }]

/** What must be refused: a name, what takes the value, and wrong values. */
const takers: readonly [string, (value: never) => unknown, readonly unknown[]][] = [
  ['accept', accept => new Registry().scrape({ accept }), noText],
  ['clock', clock => new Registry({ clock }), noObject],
  ['store', store => new Registry({ store }), noObject],
  ['retention', retention => new Registry({ retention }), noNumber],
  ['maxSeries', maxSeries => new Registry({ maxSeries }), noNumber],
  ['help', help => new Registry().counter('a', { help }), noText],
  ['unit', unit => new Registry().counter('a', { unit }), noText],
  ['collect', collect => new Registry().counter('a', { collect }), noObject],
  [
    'buckets',
    buckets => new Registry().histogram('a', { buckets }),
    [null, 5, secret, {}, ['1'], [null], [5n], [Symbol('s')], [NaN], [2, 1]],
  ],
  ['recent', recent => new Registry().histogram('a', { recent }), noNumber],
  ['source', source => new Registry().observe('a', source), noObject],
  ['observe labels', labels => new Registry().observe('a', SOURCE, { labels }), noRecord],
  ['window', instrument => new Registry().window(instrument, 60_000), [null, 5, secret, 5n]],
  ['resource', resource => new Registry().toOtlp({ resource }), noRecord],
  ['resource value', a => new Registry().toOtlp({ resource: { a } }), [null, NaN, 5n, {}, []]],
  ['registry of an exporter', registry => new OtlpMetricExporter(registry), noObject],
  ['url', url => exporter({ url }), [null, 5, '', 'localhost:4318', 'ftp://x', Symbol('s'), {}]],
  ['headers', headers => exporter({ headers }), noRecord],
  ['header', a => exporter({ headers: { a } }), [null, 5, 'a\nb', '\u0100', Symbol('s')]],
  ['interval', interval => exporter({ interval }), [...noNumber, 99]],
  ['timeout', timeout => exporter({ timeout }), [...noNumber, 0]],
  ['maxRetryAfter', maxRetryAfter => exporter({ maxRetryAfter }), noNumber],
  ['temporality', temporality => exporter({ temporality }), [null, 5, secret, {}]],
  ['compression', compression => exporter({ compression }), [null, 5, secret, {}]],
  ['resource of an exporter', resource => exporter({ resource }), noRecord],
  ['onError', onError => exporter({ onError }), noObject],
  ['registry of a dashboard', registry => new Dashboard({ registry }), noObject],
  ['guard of a dashboard', guard => new Dashboard({ registry: METRICS, guard }), noObject],
  ['authorize', authorize => new Dashboard({ registry: METRICS, authorize }), noObject],
  ['basePath', basePath => new Dashboard({ registry: METRICS, basePath }), [5, null, 'x', '/x/']],
  ['registry of a guard', registry => new Guard(registry, { rules: [] }), noObject],
  ['rules', rules => new Guard(METRICS, { rules }), [null, 5, secret, {}, [null], [secret], [[]]]],
  ['numerator', numerator => new Guard(METRICS, { rules: [{ ...RATIO, numerator }] }), noRecord],
  ['onTrip', onTrip => new Guard(METRICS, { rules: [], onTrip }), noObject],
  ['registry of a sender', registry => new ClusterSender(registry, { send }), noObject],
  ['interval of a sender', interval => new ClusterSender(METRICS, { send, interval }), noNumber],
  ['registry of a receiver', registry => new ClusterReceiver(registry), noObject],
  ['threads', threads => new SharedLanes({ threads }), noNumber],
  ['registry of channels', registry => instrumentChannels(registry), noObject],
  ['registry of the runtime', registry => collectRuntime(registry), noObject],
  ['registry of events', registry => new EventMetrics(registry), noObject],
  ['prefix of events', prefix => new EventMetrics(new Registry(), { prefix }), [...noText, '']],
  [
    'maxTypes',
    maxTypes => new EventMetrics(new Registry(), { maxTypes }),
    [...noNumber, 0, 1_000_001],
  ],
  ['matchers', matchers => grafanaDashboard(METRICS, { matchers }), noText],
  ['collector', collect => new Registry().addCollector(collect), noObject],
  ['registry of a report', registry => performanceReport(registry), noObject],
  ['report', report => formatReport(report), noObject],
  ['registry of alert rules', registry => alertRules(registry, []), noObject],
  ['group', group => alertRules(METRICS, [], group), noText],
  ['registry of Grafana', registry => grafanaDashboard(registry), noObject],
  ['registry of lanes', registry => LANES.aggregateInto(registry), noObject],
  ['worker', worker => LANES.watch(worker), noObject],
  ['child', child => new ClusterReceiver(METRICS).attach(child), noObject],
  ['timing', timing => timed(timing), [...noObject, METRICS.timing('t', { labels: ['a'] })]],
  ['function to time', fn => timed(METRICS.timing('u'))(fn), noObject],
  ['options of a timing', options => METRICS.timing('v', options), noRecord],
  ['summary', summary => new Guard(METRICS, { rules: [{ ...RULE, summary }] }), [...noText, '']],
  [
    'part of a ratio',
    part => new Guard(METRICS, { rules: [{ ...RATIO, numerator: part }] }),
    MISSPELT,
  ],
  [
    'whole of a ratio',
    part => new Guard(METRICS, { rules: [{ ...RATIO, ...ABOVE, denominator: [part] }] }),
    MISSPELT,
  ],
  [
    'errors of a burn rate',
    errors => new Guard(METRICS, { rules: [{ ...BURN, errors }] }),
    MISSPELT,
  ],
  [
    'pair of windows',
    pair => new Guard(METRICS, { rules: [{ ...BURN, windows: [pair] }] }),
    [{ long: 3_600_000, short: 300_000, factor: 6, facter: 6 }],
  ],
]

const SOURCE = { stats: () => ({ hits: 1 }) }
const RATIO = { name: 'R', type: 'ratio', denominator: [{ metric: 'a' }], above: 0.5 } as const
const send = (): void => {}

function exporter(options: object): OtlpMetricExporter {
  return new OtlpMetricExporter(METRICS, options)
}

async function thrownBy(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  return undefined
}

describe('options that cannot work', () => {
  it.each(takers)('are refused by name, and not shown: %s', async (_, take, wrong) => {
    for (const value of wrong) {
      const error = await thrownBy(() => take(value as never))
      expect(error, String(value?.constructor?.name)).toMatchObject({
        code: 'ERR_MILLRACE_INVALID_OPTION',
      })
      expect(String(error)).not.toContain('0123456789')
    }
  })

  it('are named as the caller knows them', () => {
    const events = () => new EventMetrics(new Registry(), { maxTypes: -1 })
    expect(events).toThrow('Expected `maxTypes` to be an integer')
  })

  it('are memory that holds no lanes', () => {
    for (const value of [...noObject, -1, 1.5, Infinity, new ArrayBuffer(64)]) {
      expect(() => claimLane(value as never)).toThrow('holds no metrics lanes')
    }
  })
})
