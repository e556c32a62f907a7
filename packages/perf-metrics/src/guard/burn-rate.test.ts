import { describe, expect, it } from 'vitest'
import { watch } from './watch.fixture.ts'

describe('a burn rate', () => {
  it('trips on a fast burn, and not on a short peak', () => {
    const { metrics, log, run } = watch({
      name: 'Budget',
      type: 'burn-rate',
      objective: 0.999,
      errors: { metric: 'errors_total' },
      total: [{ metric: 'requests_total' }],
    })
    const errors = metrics.counter('errors_total')
    const requests = metrics.counter('requests_total')
    run(7200, () => requests.inc(100))
    run(20, () => {
      requests.inc(100)
      errors.inc(50)
    })
    run(600, () => requests.inc(100))
    expect(log).toEqual([])
    run(3600, () => {
      requests.inc(100)
      errors.inc(2)
    })
    expect(log).toEqual(['trip Budget'])
  })
})

describe('a burn rate with little traffic', () => {
  it('does not trip on one failure of one, or of twenty', () => {
    const { metrics, log, run } = watch({
      name: 'Budget',
      type: 'burn-rate',
      objective: 0.999,
      errors: { metric: 'errors_total' },
      total: [{ metric: 'requests_total' }],
    })
    const errors = metrics.counter('errors_total')
    const requests = metrics.counter('requests_total')
    errors.inc()
    requests.inc()
    run(60, () => {})
    expect(log).toEqual([])
    run(19, () => requests.inc())
    run(60, () => {})
    expect(log).toEqual([])
    run(20, () => {
      requests.inc()
      errors.inc()
    })
    expect(log).toEqual(['trip Budget'])
  })
})
