import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { negotiate } from './export/negotiate.ts'
import { scrape } from './export/scrape.ts'
import { Registry } from './index.ts'
import { inSlices, type Pace, SLICE } from './slices.ts'

/** A clock by which every look at it takes `cost` milliseconds, and the number of pauses so far. */
function pacing(cost: number): Pace & { pauses: number } {
  let time = 0
  const pace = {
    pauses: 0,
    now: () => (time += cost),
    pause: async () => {
      pace.pauses++
    },
  }
  return pace
}

describe('slices', () => {
  it('end when their time is over, and go on where they were', async () => {
    const done: number[] = []
    const pace = pacing(SLICE / 4)
    const beforePause: number[] = []
    pace.pause = async () => {
      beforePause.push(done.length)
    }
    await inSlices(
      (function* () {
        for (let i = 0; i < 10; i++) {
          done.push(i)
          yield
        }
      })(),
      undefined,
      pace,
    )
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(beforePause).toEqual([4, 8])
  })

  it('notice an abort in a pause', async () => {
    const controller = new AbortController()
    const pace = pacing(SLICE)
    pace.pause = async () => controller.abort()
    let steps = 0
    const endless = (function* () {
      for (;;) yield void steps++
    })()
    await expect(inSlices(endless, controller.signal, pace)).rejects.toThrow('aborted')
    expect(steps).toBe(1)
  })
})

describe('a scrape', () => {
  const series = 3200
  const formats = {
    'text/plain': { first: 8, later: 1 },
    'application/openmetrics-text;version=1.0.0': { first: 8, later: 1 },
    'application/openmetrics-text;version=2.0.0': { first: 32, later: 32 },
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited': {
      first: 32,
      later: 32,
    },
  }

  it.each(Object.entries(formats))(
    'as %s looks at the clock often enough',
    async (accept, work) => {
      const metrics = new Registry({ maxSeries: series })
      const histogram = metrics.histogram('h', { labels: ['i'] })
      for (let i = 0; i < series; i++) histogram.observe({ i }, i)
      // Every look ends a slice. A step may be as much work as 32 series whose lines are kept.
      const format = negotiate(accept, true)
      for (const weight of [work.first, work.later]) {
        const pace = pacing(SLICE)
        await scrape(metrics.collect(), {}, format, 1e7, pace)
        expect(pace.pauses).toBeGreaterThanOrEqual((series * weight) / 32 - 1)
      }
    },
  )

  it('that is larger than expected is put together piece by piece', async () => {
    const metrics = new Registry({ maxSeries: series })
    const gauge = metrics.gauge('g', { labels: ['i'] })
    for (let i = 0; i < series; i++) gauge.set({ i: `${i}-${'é'.repeat(400)}` }, i)
    const pace = pacing(0)
    const { body } = await scrape(metrics.collect(), {}, negotiate(undefined, false), 1000, pace)
    expect(Buffer.from(body).toString()).toBe(metrics.toPrometheus())
    expect(body.length).toBeGreaterThan(2_500_000)
  })
})

describe('the upkeep of many series', () => {
  it('is spread over the turns of the loop', () => {
    const virtual = new VirtualClock(1_000_000)
    // By this clock a look takes half a slice, so that every second step ends one.
    let skew = 0
    let continuations = 0
    const clock = {
      now: () => virtual.now() + (skew += SLICE / 2),
      setTimer: (callback: () => void, delay: number) => {
        if (delay === 0) continuations++
        return virtual.setTimer(callback, delay)
      },
    }
    const metrics = new Registry({ clock, retention: 5000, windows: false })
    const counter = metrics.counter('c_total', { labels: ['i'] })
    for (let i = 0; i < 1000; i++) counter.inc({ i })
    virtual.advance(1000)
    expect(continuations).toBeGreaterThan(250)
    virtual.advance(60_000)
    expect(counter.family.size).toBe(0)
    metrics[Symbol.dispose]()
  })
})
