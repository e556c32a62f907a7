import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import type { DeltaMessage } from '../cluster/messages.ts'
import { Dashboard } from '../dashboard.ts'
import { negotiate } from '../export/negotiate.ts'
import { scrape } from '../export/scrape.ts'
import { Guard } from '../guard.ts'
import { Registry } from '../index.ts'
import { OtlpMetricExporter } from '../otlp.ts'
import { ClusterSender } from '../workers.ts'
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

/** A clock by which every second look ends a slice, and how often work was put off to a later turn. */
function slowClock() {
  const virtual = new VirtualClock(1_000_000)
  let skew = 0
  const clock = {
    continuations: 0,
    now: () => virtual.now() + (skew += SLICE / 2),
    setTimer: (callback: () => void, delay: number) => {
      if (delay === 0) clock.continuations++
      return virtual.setTimer(callback, delay)
    },
    advance: (milliseconds: number) => virtual.advance(milliseconds),
  }
  return clock
}

describe('a push', () => {
  it.each(['protobuf', 'json'] as const)(
    'of %s lets the loop turn every few series',
    async encoding => {
      const clock = slowClock()
      const metrics = new Registry({ clock })
      const histogram = metrics.histogram('h', { labels: ['i'] })
      for (let i = 0; i < 1000; i++) histogram.observe({ i }, i)
      let turns = 0
      let watching = true
      let turnsUntilRequest = 0
      const server = createServer((request, response) => {
        turnsUntilRequest = turns
        request.resume().on('end', () => response.writeHead(200, { connection: 'close' }).end())
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const exporter = new OtlpMetricExporter(metrics, {
        url,
        protocol: `http/${encoding}`,
        temporality: 'delta',
        clock,
      })
      setImmediate(function turn() {
        turns++
        if (watching) setImmediate(turn)
      })
      for (const round of [1, 2]) {
        turns = 0
        await exporter.export()
        // The second time there is nothing new in any series, which takes a look at each of them all the same.
        expect(exporter.stats().pointsSent).toBe(1000)
        if (round === 1) expect(turnsUntilRequest).toBeGreaterThan(400)
        else expect(turns).toBeGreaterThan(400)
      }
      watching = false
      await exporter.close()
      server.close()
    },
  )
})

describe('a frame of the dashboard', () => {
  it('is taken over many turns of the loop, and shows all when it is whole', async () => {
    const clock = slowClock()
    const registry = new Registry({ clock: new VirtualClock(1_000_000), maxSeries: 1000 })
    const timing = registry.timing('t_seconds', { labels: ['i'] })
    for (let i = 0; i < 1000; i++) for (let n = 0; n <= i % 7; n++) timing.record({ i }, 5, n === 6)
    using dashboard = new Dashboard({ registry, clock, authorize: () => true })
    expect(clock.continuations).toBe(1)
    const snapshot = dashboard.fetch(new Request('http://any/snapshot.json'))
    for (let i = 0; i < 1000; i++) clock.advance(0)
    const { frame } = JSON.parse(await (await snapshot).text())
    expect(clock.continuations).toBeGreaterThan(300)
    expect(frame.sequence).toBe(0)
    expect(frame.timings).toHaveLength(50)
    expect(new Set(frame.timings.map(({ count }: { count: number }) => count))).toEqual(
      new Set([7]),
    )
  })

  it('that is not whole yet goes when the dashboard is closed', async () => {
    const clock = slowClock()
    const registry = new Registry({ clock })
    const timing = registry.timing('t_seconds', { labels: ['i'] })
    for (let i = 0; i < 100; i++) timing.record({ i }, 5)
    const dashboard = new Dashboard({ registry, clock, authorize: () => true })
    const waiting = dashboard.fetch(new Request('http://any/events'))
    dashboard.close()
    expect((await waiting).status).toBe(404)
    const { continuations } = clock
    clock.advance(0)
    expect(clock.continuations).toBe(continuations)
  })
})

describe('a guard', () => {
  it('evaluates over many turns of the loop by itself, and at once when it is asked', () => {
    const clock = slowClock()
    const metrics = new Registry({ clock: new VirtualClock(1_000_000) })
    const timing = metrics.timing('t_seconds', { labels: ['i'] })
    const trips: number[] = []
    using guard = new Guard(metrics, {
      clock,
      rules: [
        { name: 'Slow', type: 'threshold', metric: 't_seconds', stat: 'p99', above: 1, for: 0 },
      ],
      onTrip: ({ value }) => {
        trips.push(value)
      },
    })
    for (let i = 0; i < 1000; i++) timing.record({ i }, 2000)
    const before = clock.continuations
    clock.advance(10_000)
    expect(clock.continuations - before).toBeGreaterThan(400)
    expect(trips).toEqual([expect.closeTo(2, 1)])
    guard.evaluate()
    expect(clock.continuations - before).toBeLessThan(600)
  })

  it('that is closed by what it calls evaluates no more', () => {
    const clock = slowClock()
    const metrics = new Registry({ clock: new VirtualClock(1_000_000) })
    const gauge = metrics.gauge('g')
    const trips: string[] = []
    const rules = ['A', 'B'].map(
      name => ({ name, type: 'threshold', metric: 'g', above: 1, for: 0 }) as const,
    )
    const guard = new Guard(metrics, {
      clock,
      rules,
      onTrip: ({ rule }) => {
        trips.push(rule.name)
        guard.close()
      },
    })
    gauge.set(2)
    clock.advance(60_000)
    expect(trips).toEqual(['A'])
  })
})

describe('the reports of a child process', () => {
  it('are spread over the turns of the loop, in messages of some series each, and finished when asked', () => {
    const clock = slowClock()
    const metrics = new Registry({ clock: new VirtualClock(1_000_000) })
    const counter = metrics.counter('c_total', { labels: ['i'] })
    const messages: DeltaMessage[] = []
    const sender = new ClusterSender(metrics, { clock, send: message => messages.push(message) })
    const sum = (): number =>
      messages
        .flatMap(({ series }) => series)
        .reduce((total, { value }) => total + Number(value), 0)
    for (let i = 0; i < 1000; i++) counter.inc({ i })
    clock.advance(1000)
    expect(clock.continuations).toBeGreaterThan(400)
    expect(messages.length).toBe(Math.ceil(1000 / 32))
    expect(sum()).toBe(1000)
    for (let i = 0; i < 1000; i++) counter.inc({ i })
    // One turn's worth of the next report, then the rest in one piece.
    let turns = 0
    const { setTimer } = clock
    clock.setTimer = (callback, delay) => {
      if (delay === 0 && ++turns === 40) return { cancel: () => {} }
      return setTimer(callback, delay)
    }
    clock.advance(1000)
    expect(sum()).toBeLessThan(1100)
    sender.flush()
    expect(sum()).toBe(2000)
    sender.close()
  })
})

describe('the upkeep of many series', () => {
  it('is spread over the turns of the loop', () => {
    const clock = slowClock()
    const metrics = new Registry({ clock, retention: 5000, windows: false })
    const counter = metrics.counter('c_total', { labels: ['i'] })
    for (let i = 0; i < 1000; i++) counter.inc({ i })
    clock.advance(1000)
    expect(clock.continuations).toBeGreaterThan(250)
    clock.advance(60_000)
    expect(counter.family.size).toBe(0)
    metrics.close()
  })
})
