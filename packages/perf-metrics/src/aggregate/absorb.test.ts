import { EventEmitter } from 'node:events'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Registry } from '../index.ts'
import { ClusterReceiver, ClusterSender, claimLane, SharedLanes } from '../workers.ts'

/** Zeros, and values of any size: those of one histogram often lie more than six decades apart. */
const value = fc.oneof(
  fc.constant(0),
  fc.double({ min: 5e-324, max: Number.MAX_VALUE, noNaN: true }),
  fc.integer({ min: -320, max: 308 }).map(exponent => 10 ** exponent),
)
/** What is counted between two looks from elsewhere. */
const rounds = fc.array(fc.array(value, { maxLength: 8 }), { minLength: 1, maxLength: 5 })

/** Two ways to count somewhere else, each with what carries the counts to the registry. */
const WAYS = {
  'another thread': (here: Registry) => {
    const lanes = new SharedLanes({ threads: 1 })
    lanes.aggregateInto(here)
    return { there: new Registry({ store: claimLane(lanes.buffer) }), carry: () => {} }
  },
  'another process': (here: Registry) => {
    const source = new EventEmitter()
    new ClusterReceiver(here).attach(source)
    const there = new Registry()
    const sender = new ClusterSender(there, {
      send: message => source.emit('message', JSON.parse(JSON.stringify(message))),
    })
    return { there, carry: () => sender.flush() }
  },
}

describe.each(Object.entries(WAYS))('a histogram of %s', (_, connect) => {
  it('arrives whole however far its values spread, and hides no metric behind it', () => {
    fc.assert(
      fc.property(rounds, batches => {
        const here = new Registry()
        const { there, carry } = connect(here)
        const histogram = there.histogram('spread')
        const after = there.counter('after_total')
        for (const batch of batches) {
          for (const one of batch) histogram.observe(one)
          after.inc()
          carry()
          here.collect()
        }
        const mirrored = here.histogram('spread')
        expect(mirrored.count).toBe(batches.flat().length)
        expect(here.counter('after_total').value).toBe(batches.length)
        const all = batches.flat()
        for (const q of all.length > 0 ? [0, 0.5, 1] : []) {
          const there = mirrored.quantile(q)
          expect(there).toBeGreaterThanOrEqual(Math.min(...all))
          expect(there).toBeLessThanOrEqual(Math.max(...all))
        }
        here.close()
        there.close()
      }),
      { numRuns: runs(100) },
    )
  })
})

describe('a series that cannot be added', () => {
  it('takes no other one and no listener with it', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    const here = new Registry()
    const source = new EventEmitter()
    const receiver = new ClusterReceiver(here)
    receiver.attach(source)
    const there = new Registry()
    there.histogram('broken').observe(1)
    there.counter('after_total').inc(3)
    here.histogram('broken')
    const broken = vi
      .spyOn(Object.getPrototypeOf(here.histogram('broken')), 'absorb')
      .mockImplementation(() => {
        throw new Error('cannot be added')
      })
    onTestFinished(() => broken.mockRestore())
    const sender = new ClusterSender(there, { send: message => source.emit('message', message) })
    sender.flush()
    expect(here.counter('after_total').value).toBe(3)
    expect(receiver.stats().conflicts).toBe(1)
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('broken: cannot be added'), {
      code: 'MILLRACE_METRICS_CONFLICT',
    })
  })
})

it('each collector that throws is warned of once, by the name of what it is about', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  const metrics = new Registry()
  metrics.addCollector(() => {
    throw new RangeError('of a secret')
  })
  metrics.gauge('depth', {
    collect() {
      throw 'a secret'
    },
  })
  const stats = () => {
    throw new TypeError('of a secret')
  }
  metrics.observe('orders', { stats })
  metrics.collect()
  metrics.collect()
  expect(warn.mock.calls.map(call => call[0])).toEqual([
    'A collector of metrics failed: it threw RangeError',
    'What collects "depth" failed: it threw a value of type string',
    'What collects "orders" failed: it threw TypeError',
  ])
  expect(metrics.toPrometheus()).toContain('millrace_metrics_collect_failures_total 9\n')
})

it.each(Object.entries(WAYS))('sums that overflow in %s stay sums', (_, connect) => {
  const here = new Registry()
  const { there, carry } = connect(here)
  const largest = Number.MAX_VALUE
  for (let i = 0; i < 3; i++) {
    there.histogram('large').observe(largest)
    there.counter('units_total').inc(largest)
    carry()
    here.collect()
  }
  const { count, sum } = here.histogram('large')
  // A counter drops what it has no room for.
  expect([count, sum, here.counter('units_total').value]).toEqual([3, Infinity, largest])
})
