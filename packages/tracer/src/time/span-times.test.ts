import type { Clock, Timer } from '@millrace/kit'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { JsonEncoder } from '../otlp/encoding/json-encoder.ts'
import { EncodingExporter } from '../otlp/encoding-exporter.fixture.ts'
import { spansOf } from '../otlp/otlp-messages.fixture.ts'
import { ProtobufEncoder } from '../otlp/protobuf/protobuf-encoder.ts'
import { rateLimited } from '../sampling/samplers.ts'
import type { Span, TimeInput } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'

const HOUR = 3_600_000

/** A monotonic clock beside a wall clock that may be set. */
class SetClock {
  time = 0
  wall = Date.UTC(2026, 0, 1)

  now(): number {
    return this.time
  }

  epoch(): number {
    return this.wall - this.time
  }

  setTimer() {
    return { cancel() {} }
  }

  pass(milliseconds: number): void {
    this.time += milliseconds
    this.wall += milliseconds
  }
}

function setup() {
  const clock = new SetClock()
  const exporter = new MemoryExporter()
  const tracer = new Tracer({ exporter, clock, signals: [] })
  return { clock, exporter, tracer }
}

describe('a time that is a number', () => {
  const DAY = 24 * HOUR
  // Moments of jobs that were queued before this process began, a replay, the first day there was, one to come.
  test.each([-10_000, -DAY, -20_000 * DAY, 10_000])(
    'is epoch milliseconds %i ms from now',
    async by => {
      const exporter = new MemoryExporter()
      const tracer = new Tracer({ exporter, signals: [] })
      const time = Date.now() + by
      const span = tracer.startSpan('job', { startTime: time })
      span.addEvent('queued', time).recordException('failed', time)
      span.end(time + 5)
      await tracer.flush()
      const [job] = exporter.spans
      expect(job!.start).toBeCloseTo(time, 2)
      expect(job!.duration).toBeCloseTo(5, 2)
      for (const event of job!.events) expect(event.time).toBeCloseTo(time, 2)
    },
  )

  test('is a reading of performance.now() where that may have been read', async () => {
    const exporter = new MemoryExporter()
    const tracer = new Tracer({ exporter, signals: [] })
    const now = performance.now()
    for (const startTime of [0, now]) tracer.startSpan('job', { startTime }).end()
    await tracer.flush()
    const [first, second] = exporter.spans
    expect(first!.start).toBeCloseTo(performance.timeOrigin, 2)
    expect(second!.start).toBeCloseTo(performance.timeOrigin + now, 2)
  })
})

describe('when the wall clock is set', () => {
  test.each([-HOUR, HOUR])('by %i ms, spans keep their length and their place', async step => {
    const { clock, exporter, tracer } = setup()
    const began = clock.wall
    const root = tracer.startSpan('root')
    clock.pass(5)
    tracer.startSpan('before', { parent: root }).end()
    await tracer.flush()
    clock.wall += step
    clock.pass(2_000)
    const after = tracer.startSpan('after', { parent: root })
    clock.pass(10)
    after.end()
    root.end()
    tracer.startSpan('next').end()
    await tracer.flush()
    const [before, late, whole, next] = exporter.spans
    expect(before).toMatchObject({ start: began + 5, duration: 0 })
    expect(late).toMatchObject({ start: began + 2_005, duration: 10 })
    expect(whole).toMatchObject({ start: began, duration: 2_015 })
    // A trace that begins later tells the time as it is now.
    expect(next).toMatchObject({ start: clock.wall, duration: 0 })
  })

  test('in any way, children stay within their parents', () => {
    const action = fc.oneof(
      fc.record({ pass: fc.double({ min: 0, max: HOUR, noNaN: true }) }),
      fc.record({ step: fc.integer({ min: -24 * HOUR, max: 24 * HOUR }) }),
      fc.record({ start: fc.nat({ max: 3 }) }),
      fc.constant('end' as const),
      fc.constant('export' as const),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), actions => {
        const { clock, exporter, tracer } = setup()
        const open: { span: Span; began: number }[] = []
        const lengths = new Map<string, number>()
        const end = () => {
          const { span, began } = open.pop()!
          span.end()
          lengths.set(span.spanContext().spanId, clock.time - began)
        }
        for (const each of actions) {
          if (each === 'export') tracer.flushSync()
          else if (each === 'end') open.length > 0 && end()
          else if ('pass' in each) clock.pass(each.pass)
          else if ('step' in each) clock.wall += each.step
          else {
            // 0 starts a new trace; otherwise the child of the innermost open span.
            const parent = each.start === 0 ? null : (open.at(-1)?.span ?? null)
            open.push({ span: tracer.startSpan('s', { parent }), began: clock.time })
          }
        }
        while (open.length > 0) end()
        tracer.flushSync()
        const byId = new Map(exporter.spans.map(span => [span.spanId, span]))
        expect(byId.size).toBe(lengths.size)
        for (const { spanId, parentSpanId, start, duration } of exporter.spans) {
          expect(duration).toBeCloseTo(lengths.get(spanId)!, 6)
          const parent = byId.get(parentSpanId ?? '')
          if (parent === undefined) continue
          // To the resolution of a double of epoch milliseconds.
          expect(start).toBeGreaterThanOrEqual(parent.start - 0.001)
          expect(start + duration).toBeLessThanOrEqual(parent.start + parent.duration + 0.001)
        }
      }),
      { numRuns: runs(150) },
    )
  })

  test('a process that did not run for an hour has a span of an hour', async () => {
    const { clock, exporter, tracer } = setup()
    const span = tracer.startSpan('long')
    clock.pass(HOUR)
    span.end()
    await tracer.flush()
    expect(exporter.spans[0]?.duration).toBe(HOUR)
  })
})

test('spans of a loop that is held up last as long as they did, each in its place', async () => {
  const exporter = new MemoryExporter()
  const tracer = new Tracer({ exporter, signals: [], delay: 10 })
  const hold = (milliseconds: number) => {
    const until = performance.now() + milliseconds
    while (performance.now() < until);
  }
  const wall = Date.now()
  const began = performance.now()
  tracer.span('held up', outer => {
    for (const name of ['first', 'second']) {
      const inner = tracer.startSpan(name, { parent: outer })
      hold(30)
      inner.end()
    }
  })
  const took = performance.now() - began
  const ended = Date.now()
  await tracer.close()
  const [first, second, outer] = exporter.spans
  for (const inner of [first!, second!]) {
    expect(inner.duration).toBeGreaterThanOrEqual(29.9)
    expect(inner.start).toBeGreaterThanOrEqual(outer!.start - 0.001)
  }
  expect(second!.start).toBeGreaterThanOrEqual(first!.start + first!.duration - 0.001)
  expect(outer!.duration).toBeGreaterThanOrEqual(first!.duration + second!.duration - 0.001)
  expect(outer!.duration).toBeLessThanOrEqual(took)
  // The anchor to the wall clock may be a few milliseconds off.
  expect(outer!.start).toBeGreaterThanOrEqual(wall - 6)
  expect(outer!.start).toBeLessThanOrEqual(ended + 6)
})

test.each([
  [
    [1_700_000_000, 123_456_789],
    [1_700_000_001, 987_654_321],
  ],
  [
    [0, 1],
    [18_446_744_072, 999_999_999],
  ],
  // Nanoseconds of a second and more, and of less than none, are added up, as by OpenTelemetry's SDK.
  [
    [1_700_000_000, 1_000_000_000],
    [1_700_000_000, 2_500_000_001],
  ],
  [
    [1_700_000_001, -1],
    [1_700_000_003, -1_500_000_000],
  ],
] as [TimeInput, TimeInput][])('%j to %j keeps its nanoseconds', (start, end) => {
  const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
  const tracer = new Tracer({ exporter, signals: [] })
  const span = tracer.startSpan('exact', { startTime: start })
  span.addEvent('first', start).addEvent('last', {}, end)
  span.recordException('thrown', end)
  span.end(end)
  tracer.startSpan('backwards', { startTime: end }).end(start)
  tracer.flushSync()
  const [binary, json] = exporter.takeDecoded().map(spansOf)
  expect(json).toEqual(binary)
  const [from, to] = [nanos(start), nanos(end)]
  expect(binary).toMatchObject([
    {
      startTimeUnixNano: from,
      endTimeUnixNano: to,
      events: [{ timeUnixNano: from }, { timeUnixNano: to }, { timeUnixNano: to }],
    },
    { startTimeUnixNano: to, endTimeUnixNano: to },
  ])
})

test.each([
  [new Date(8.64e15)],
  [new Date(-1)],
  [[253_402_300_799, 0]],
  [[-1, 0]],
  [-1e300],
  [Infinity],
] as [TimeInput][])('%j, for which OTLP has no number, counts as now', given => {
  const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
  const tracer = new Tracer({ exporter, signals: [] })
  const before = BigInt(Date.now() - 1_000) * 1_000_000n
  tracer.startSpan('s', { startTime: given }).addEvent('e', given).end(given)
  tracer.flushSync()
  const [binary, json] = exporter.takeDecoded().map(spansOf)
  expect(json).toEqual(binary)
  const [span] = binary!
  const after = BigInt(Date.now() + 1_000) * 1_000_000n
  for (const time of [span!.startTimeUnixNano, span!.endTimeUnixNano]) {
    expect(BigInt(time as string)).toBeGreaterThan(before)
    expect(BigInt(time as string)).toBeLessThan(after)
  }
})

test.each([new Date(1_700_000_000_123), 1_700_000_000_123])(
  '%s is exported as the millisecond that it is, whatever the clock’s epoch is',
  given => {
    const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
    const tracer = new Tracer({
      exporter,
      signals: [],
      clock: {
        now: () => 0.123_456,
        epoch: () => 1_600_000_000_000.789,
        setTimer: () => ({ cancel() {} }),
      },
    })
    const span = tracer.startSpan('s', { startTime: given }).addEvent('e', given)
    if (given instanceof Date) given.setTime(0)
    span.end(1_700_000_000_124)
    tracer.flushSync()
    const [binary, json] = exporter.takeDecoded().map(spansOf)
    expect(json).toEqual(binary)
    expect(binary).toMatchObject([
      {
        startTimeUnixNano: '1700000000123000000',
        endTimeUnixNano: '1700000000124000000',
        events: [{ timeUnixNano: '1700000000123000000' }],
      },
    ])
  },
)

const boom = (): never => {
  throw new Error('boom')
}

test.each([Number.NaN, Infinity, -Infinity, undefined, '5', 5n, 1e300, -1e300, boom])(
  'a clock that tells %s stands still for spans, which are all exported',
  async odd => {
    const readings: unknown[] = [1000, 1001, odd, 1005, odd, odd, 1010, 1011, 1012]
    let at = 0
    const now = (): number => {
      const reading = readings[at++ % readings.length]
      return (typeof reading === 'function' ? reading() : reading) as number
    }
    const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
    const tracer = new Tracer({
      exporter,
      signals: [],
      sampler: rateLimited(1e6),
      clock: { now, epoch: now, setTimer: () => ({ cancel() {} }) },
    })
    for (let i = 0; i < 20; i++) {
      const span = tracer.startSpan('s').addEvent('e')
      tracer.startSpan('child', { parent: span }).end()
      span.recordException(new Error('x'))
      span.end()
    }
    expect(tracer.slowSpans().every(({ duration }) => duration <= 12)).toBe(true)
    tracer.flushSync()
    expect(tracer.stats()).toMatchObject({ ended: 40, dropped: 0 })
    const [binary, json] = exporter.takeDecoded().map(spansOf)
    expect(json).toEqual(binary)
    expect(binary).toHaveLength(40)
    for (const { startTimeUnixNano: start, endTimeUnixNano: end } of binary!) {
      const duration = BigInt(end as string) - BigInt(start as string)
      expect(duration).toBeGreaterThanOrEqual(0n)
      expect(duration).toBeLessThanOrEqual(12_000_000n)
    }
    await tracer.close()
  },
)

const noTimer = { cancel: boom, ref: boom } as Timer

test.each<[string, Clock['setTimer']]>([
  ['throws', boom],
  ['sets none', () => undefined as never],
  ['sets what cannot be cancelled', () => ({}) as never],
  [
    'runs what it is given at once',
    callback => {
      callback()
      return noTimer
    },
  ],
])('a clock whose `setTimer` %s leaves it to the system’s', async (_, setTimer) => {
  const exporter = new MemoryExporter()
  let sends = 0
  exporter.send = () => void sends++
  const clock = { now: () => performance.now(), setTimer }
  const tracer = new Tracer({ exporter, clock, signals: [], delay: 1, budget: 0.5 })
  tracer.span('s', () => {})
  await expect.poll(() => sends, { timeout: 60_000 }).toBeGreaterThan(0)
  expect(exporter.spans.map(({ name }) => name)).toEqual(['s'])
  await tracer.close()
})

test('a clock whose timers throw when they are touched breaks neither spans nor the end', async () => {
  const exporter = new MemoryExporter()
  const clock = { now: () => performance.now(), setTimer: () => noTimer }
  const tracer = new Tracer({ exporter, clock, signals: [], budget: 0.5 })
  tracer.span('s', () => {})
  await tracer.close()
  expect(exporter.spans.map(({ name }) => name)).toEqual(['s'])
})

function nanos(time: TimeInput): string {
  const [seconds, rest] = time as readonly [number, number]
  return String(BigInt(seconds) * 1_000_000_000n + BigInt(rest))
}
