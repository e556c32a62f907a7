import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'

describe('definition', () => {
  it('returns the same metric for the same definition', () => {
    const metrics = new Registry()
    metrics.counter('a_total').inc()
    expect(metrics.counter('a_total').value).toBe(1)
  })

  it.each([
    ['another type', (m: Registry) => m.gauge('x'), 'Metric "x" is a counter already, not a gauge'],
    [
      'other labels',
      (m: Registry) => m.counter('x', { labels: ['b'] }),
      'Metric "x" has the labels [a] already',
    ],
    [
      'a name that another metric is exported under',
      (m: Registry) => m.gauge('x_total'),
      'Metric "x_total" is exported as x_total, as x is',
    ],
    [
      'a name that differs only in what ASCII readers cannot see',
      (m: Registry) => {
        m.gauge('y.z')
        m.gauge('y/z')
      },
      'Metric "y/z" is exported as y_z, as y.z is',
    ],
    [
      'a name that another metric has where dots are spelled out',
      (m: Registry) => {
        m.gauge('y.z')
        m.gauge('y_dot_z')
      },
      'Metric "y_dot_z" is exported as y_dot_z, as y.z is',
    ],
    [
      'a name that another metric has where its characters are spelled out',
      (m: Registry) => {
        m.counter('U__y_2e_z__total')
        m.counter('y.z')
      },
      'Metric "y.z" is exported as U__y_2e_z_, as U__y_2e_z__total is',
    ],
    [
      'a sample of a histogram whose name has dots',
      (m: Registry) => {
        m.gauge('h_dot_x_sum')
        m.histogram('h.x')
      },
      'Metric "h.x" is exported as h_dot_x_sum, as h_dot_x_sum is',
    ],
    [
      'a sample of a histogram',
      (m: Registry) => {
        m.histogram('h')
        m.counter('h_count')
      },
      'Metric "h_count" is exported as h_count, as h is',
    ],
  ])('refuses %s', (_, define, message) => {
    const metrics = new Registry()
    metrics.counter('x', { labels: ['a'] })
    expect(() => define(metrics)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_DUPLICATE_METRIC', message }),
    )
  })

  it('refuses other buckets for an existing histogram', () => {
    const metrics = new Registry()
    metrics.histogram('h', { buckets: [1, 2] })
    expect(() => metrics.histogram('h', { buckets: [1, 3] })).toThrow(
      'Metric "h" has other buckets already',
    )
  })

  it.each([
    ['', undefined, 'Metric name "" must not be empty'],
    ['a\nb', undefined, 'Metric name "a\\nb" must not contain control characters'],
    ['a\uD800', undefined, 'Metric name "a\\ud800" must be well-formed Unicode'],
    [
      'a',
      ['__name'],
      'Label name "__name" of metric "a" must not begin with __, which Prometheus reserves',
    ],
    [
      'a',
      ['quantile'],
      'Label name "quantile" of metric "a" is reserved for the buckets of the exposition',
    ],
    ['a', ['b', 'b'], 'Label name "b" of metric "a" is exported as b, as another label is'],
    ['a', ['b.c', 'b/c'], 'Label name "b/c" of metric "a" is exported as b_c, as another label is'],
    [
      'a',
      ['b.c', 'b_dot_c'],
      'Label name "b_dot_c" of metric "a" is exported as b_dot_c, as another label is',
    ],
    [
      'a',
      ['U__b_2e_c', 'b.c'],
      'Label name "b.c" of metric "a" is exported as U__b_2e_c, as another label is',
    ],
    [
      'a',
      ['..name..'],
      'Label name "..name.." of metric "a" is exported as __name__, which is the metric',
    ],
    [
      'a',
      ['énameé'],
      'Label name "énameé" of metric "a" is exported as __name__, which is the metric',
    ],
  ])('refuses the name %j with labels %j', (name, labels, message) => {
    expect(() => new Registry().counter(name, { labels: labels ?? [] })).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_METRIC_NAME', message }),
    )
  })

  it('refuses le on a histogram only', () => {
    expect(() => new Registry().histogram('a', { labels: ['le'] })).toThrow('reserved')
    new Registry().counter('a', { labels: ['le'] })
  })

  it.each([
    [{ maxSeries: 0 }, 'Expected `maxSeries` to be an integer from 1 to 1,000,000, got 0'],
    [
      { retention: 5 },
      'Expected `retention` to be a number of at least 1,000, got a positive integer of 1 digit',
    ],
  ])('refuses the option %j', (options, message) => {
    expect(() => new Registry(options)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION', message }),
    )
  })

  it.each([[[2, 1]], [[0, 1]], [[1, Infinity]], [[NaN]]])('refuses the buckets %j', buckets => {
    expect(() => new Registry().histogram('h', { buckets })).toThrow(
      'Expected `buckets` to be at most 250 positive finite numbers in ascending order',
    )
  })
})

describe('labels', () => {
  const bad: [string, object, string][] = [
    ['a missing label', { a: '1' }, 'Label "b" of metric "x" is missing'],
    [
      'a surplus label',
      { a: '1', b: '2', c: '3' },
      'Label "c" of metric "x" is not one of its labels',
    ],
    [
      'an unusable value',
      { a: '1', b: {} },
      'Label "b" of metric "x" must be a string, number or boolean',
    ],
  ]

  it.each(bad)('throws on %s when bound', (_, labels, message) => {
    const counter = new Registry().counter('x', { labels: ['a', 'b'] })
    expect(() => counter.labels(labels as never)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_LABELS', message, metric: 'x' }),
    )
  })

  it('counts wrong labels on the hot path and throws nothing', () => {
    const metrics = new Registry()
    const counter = metrics.counter('x', { labels: ['a', 'b'] })
    for (const [, labels] of bad) counter.inc(labels as never)
    counter.inc(undefined as never)
    expect(counter.family.size).toBe(0)
    expect(metrics.toPrometheus()).toContain('millrace_metrics_mislabelled_total{metric="x"} 4\n')
  })

  it('shares one series among what exceeds the budget, and says so', () => {
    const metrics = new Registry({ maxSeries: 3 })
    const counter = metrics.counter('x_total', { labels: ['user'] })
    for (let round = 0; round < 2; round++) {
      for (let user = 0; user < 10; user++) counter.inc({ user })
    }
    const text = metrics.toPrometheus()
    expect(text).toContain('x_total{user="2"} 2\n')
    expect(text).not.toContain('user="3"')
    expect(text).toContain('x_total{user="__overflow__"} 14\n')
    expect(text).toContain('millrace_metrics_overflow_total{metric="x_total"} 14\n')
  })
})
