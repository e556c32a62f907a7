import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Guard } from '../guard.ts'
import { Registry } from '../index.ts'
import { performanceReport } from '../report.ts'
import { Timeline } from './timeline.ts'

/** A clock that may be set: timers run as time passes, `now` says what it was set to. */
class SettableClock extends VirtualClock {
  offset = 0

  override now(): number {
    return super.now() + this.offset
  }
}

/** What happens to a clock: time passes in ms, or it is set by so many ms. */
const step = fc.oneof(
  fc.record({ pass: fc.integer({ min: 1, max: 20_000 }) }),
  fc.record({ set: fc.integer({ min: -7_200_000, max: 7_200_000 }) }),
)

describe('a timeline', () => {
  it('stands still where a clock tells no number', () => {
    let reading = 1000
    const timeline = new Timeline({ now: () => reading, setTimer: () => ({ cancel() {} }) })
    timeline.moment()
    for (const odd of [Number.NaN, Infinity, undefined]) {
      reading = odd as number
      expect(timeline.date()).toBe(1000)
    }
    for (const odd of [Number.NaN, Infinity, -Infinity, undefined, '5', 7n]) {
      reading = odd as number
      expect(timeline.now()).toBe(1000)
    }
    reading = 1500
    expect(timeline.moment()).toEqual({ date: 1500, elapsed: 1500 })
  })

  it.each([Number.NaN, Infinity, -Infinity, 7n])(
    'begins where a clock tells %s at first',
    first => {
      let reading = first as number
      const timeline = new Timeline({ now: () => reading, setTimer: () => ({ cancel() {} }) })
      const start = timeline.now()
      expect(start).toBeTypeOf('number')
      for (const [at, elapsed] of [
        [-1000, 0],
        [-400, 600],
        [first, 600],
        [600, 1600],
      ] as const) {
        reading = at as number
        expect(timeline.now() - start).toBe(elapsed)
      }
    },
  )

  it('never steps back, and follows its clock otherwise', () => {
    let reading = 1000
    const timeline = new Timeline({ now: () => reading, setTimer: () => ({ cancel() {} }) })
    const start = timeline.now()
    for (const [at, elapsed] of [
      [1500, 500],
      [-3_600_000, 500],
      [-3_599_000, 1500],
      [0, 3_600_500],
    ] as const) {
      reading = at
      expect(timeline.now() - start).toBe(elapsed)
    }
  })
})

describe('rates and windows', () => {
  it('are bounded by what was counted, however the wall clock is set', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const clock = new VirtualClock(1_000)
        let offset = 1.8e12
        const metrics = new Registry({ clock, wallClock: { now: () => clock.now() + offset } })
        const counter = metrics.counter('c_total')
        const timing = metrics.timing('t_seconds')
        for (const one of steps) {
          if ('set' in one) offset += one.set
          else {
            // Ten per second, in steps of a second at most.
            for (let rest = one.pass; rest > 0; rest -= 1000) {
              const passed = Math.min(1000, rest)
              counter.inc(passed / 100)
              timing.record(5)
              clock.advance(passed)
            }
          }
          for (const window of [60_000, 300_000, 900_000]) {
            const { rate, span } = metrics.window(counter, window)
            expect(span).toBeGreaterThanOrEqual(1000)
            expect(rate).toBeLessThanOrEqual(10.5)
            expect(rate).toBeGreaterThanOrEqual(0)
          }
          const { timings } = performanceReport(metrics)
          expect(timings[0]!.rate).toBeLessThanOrEqual(41)
        }
        metrics.close()
      }),
      { numRuns: runs(60) },
    )
  })

  it('are bounded by what was counted where the clock itself steps back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const clock = new SettableClock(1.8e12)
        const metrics = new Registry({ clock })
        const counter = metrics.counter('c_total')
        let counted = 0
        for (const one of steps) {
          if ('set' in one) clock.offset += Math.min(0, one.set)
          else {
            counter.inc()
            counted++
            clock.advance(one.pass)
          }
          const { rate, span, count } = metrics.window(counter, 60_000)
          expect(span).toBeGreaterThanOrEqual(1000)
          expect(count).toBeLessThanOrEqual(counted)
          expect(rate).toBeLessThanOrEqual((counted * 1000) / span)
        }
        metrics.close()
      }),
      { numRuns: runs(60) },
    )
  })

  it('give what was counted before a sleep of an hour to the time before it', () => {
    const clock = new VirtualClock(0)
    const metrics = new Registry({ clock })
    const counter = metrics.counter('c_total')
    const work = (seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        counter.inc(10)
        clock.advance(1000)
      }
    }
    work(600)
    counter.inc(100)
    metrics.close()
    clock.advance(3_600_000)
    expect(metrics.window(counter, 60_000).count).toBe(0)
    expect(metrics.window(counter, 900_000).rate).toBe(0)
  })
})

describe('exports', () => {
  it('go on when the wall clock is set back by an hour', () => {
    const clock = new VirtualClock(0)
    let date = 1.8e12
    const metrics = new Registry({ clock, wallClock: { now: () => date } })
    metrics.counter('c_total').inc(3)
    date -= 3_600_000
    const [scope] = (metrics.toOtlpJson() as never as Request).resourceMetrics[0]!.scopeMetrics
    const [point] = scope!.metrics[0]!.sum.dataPoints
    expect(point).toMatchObject({ asDouble: 3 })
    expect(BigInt(point!.startTimeUnixNano) <= BigInt(point!.timeUnixNano)).toBe(true)
  })
})

interface Request {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly {
        readonly sum: {
          readonly dataPoints: readonly { startTimeUnixNano: string; timeUnixNano: string }[]
        }
      }[]
    }[]
  }[]
}

describe('retention', () => {
  it('does not count the time that the process was asleep or blocked', () => {
    const clock = new SettableClock(0)
    const metrics = new Registry({ clock, retention: 60_000 })
    const counter = metrics.counter('c_total', { labels: ['a'] })
    counter.inc({ a: 'x' })
    clock.advance(10_000)
    clock.offset += 3_600_000
    clock.advance(2000)
    expect(metrics.toPrometheus()).toContain('c_total{a="x"} 1\n')
    clock.advance(70_000)
    expect(metrics.toPrometheus()).not.toContain('c_total{')
    metrics.close()
  })
})

describe('a rule', () => {
  it('is held for as long as it says, however the wall clock is set', () => {
    const clock = new VirtualClock(0)
    let date = 1.8e12
    const metrics = new Registry({ clock, wallClock: { now: () => date } })
    const gauge = metrics.gauge('g')
    gauge.set(5)
    using guard = new Guard(metrics, {
      rules: [{ name: 'A', type: 'threshold', metric: 'g', above: 1, for: 60_000 }],
      interval: 10_000,
    })
    clock.advance(30_000)
    date += 86_400_000
    clock.advance(20_000)
    expect(guard.status()[0]!.state).toBe('pending')
    date -= 2 * 86_400_000
    clock.advance(20_000)
    expect(guard.status()[0]).toMatchObject({ state: 'tripped', since: date })
    metrics.close()
  })
})
