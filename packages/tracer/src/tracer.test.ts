import { setImmediate as immediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { InvalidOptionError } from './errors.ts'
import { MemoryExporter } from './export/memory-exporter.ts'
import { alwaysOff, alwaysOn, ratio } from './sampling/samplers.ts'
import { SpanKind, StatusCode } from './span/span.ts'
import { Tracer } from './tracer.ts'
import type { TracerOptions } from './tracer-options.ts'

function setup(options: TracerOptions = {}) {
  const exporter = new MemoryExporter()
  const tracer = new Tracer({ exporter, signals: [], ...options })
  return {
    tracer,
    async spans() {
      await tracer.flush()
      return Object.fromEntries(exporter.spans.map(span => [span.name, span]))
    },
  }
}

describe('spans', () => {
  test('carry name, kind, attributes, events, links, status and duration', async () => {
    const { tracer, spans } = setup()
    const other = tracer.startSpan('other')
    const span = tracer.startSpan('work', { kind: SpanKind.CLIENT, attributes: { a: 1 } })
    span.setAttribute('b', 'two').setAttributes({ c: [true, null], d: { deep: { er: 1 } } })
    span.addEvent('first', { x: 1 }).addEvent('second', 1_000)
    span.addLink({ context: other.spanContext(), attributes: { why: 'test' } })
    span.setStatus({ code: StatusCode.ERROR, message: 'broken' }).updateName('renamed')
    expect(span.isRecording()).toBe(true)
    span.end()
    other.end()

    const { renamed } = await spans()
    expect(renamed).toMatchObject({
      kind: SpanKind.CLIENT,
      attributes: { a: 1, b: 'two', c: [true, null], d: { deep: { er: 1 } } },
      status: { code: StatusCode.ERROR, message: 'broken' },
      links: [{ ...ids(other.spanContext()), attributes: { why: 'test' } }],
      traceFlags: 3,
      parentSpanId: undefined,
    })
    expect(renamed?.events.map(event => [event.name, event.attributes])).toEqual([
      ['first', { x: 1 }],
      ['second', {}],
    ])
    expect(renamed?.duration).toBeGreaterThanOrEqual(0)
    expect(Math.abs(Date.now() - renamed!.start)).toBeLessThan(5_000)
  })

  test('keep sub-millisecond wall time and explicit times in every form', async () => {
    const { tracer, spans } = setup()
    tracer
      .startSpan('hr', { startTime: [1_700_000_000, 123_456_000] })
      .end([1_700_000_000, 623_456_000])
    // Numbers before the process's start would be readings of performance.now().
    const future = Math.ceil(Date.now()) + 60_000
    tracer.startSpan('date', { startTime: new Date(future) }).end(future + 250)
    tracer.startSpan('backwards', { startTime: Date.now() }).end(1)
    const { hr, date, backwards } = await spans()
    expect(hr?.start).toBeCloseTo(1_700_000_000_123.456, 2)
    expect(hr?.duration).toBeCloseTo(500, 2)
    expect(date).toMatchObject({ start: future, duration: 250 })
    expect(backwards?.duration).toBe(0)
  })

  test('last write of an attribute wins, lazily and eagerly, pooled and not', async () => {
    for (const options of [{}, { lazy: false }, { pool: 0 }, { optimized: false }]) {
      const { tracer, spans } = setup(options)
      const span = tracer.startSpan('work')
      for (const value of [1, 2, 3]) span.setAttribute('k', value).setAttribute(`k${value}`, value)
      span.end()
      const { work } = await spans()
      expect(Object.entries(work!.attributes)).toEqual([
        ['k', 3],
        ['k1', 1],
        ['k2', 2],
        ['k3', 3],
      ])
    }
  })

  test('a status of OK is final and UNSET changes nothing', async () => {
    const { tracer, spans } = setup()
    const span = tracer.startSpan('work')
    span.setStatus({ code: StatusCode.ERROR, message: 'first' })
    span.setStatus({ code: StatusCode.UNSET })
    span.setStatus({ code: StatusCode.OK, message: 'ignored' })
    span.setStatus({ code: StatusCode.ERROR, message: 'late' })
    span.end()
    expect((await spans()).work?.status).toEqual({ code: StatusCode.OK, message: '' })
  })

  test('exceptions keep type, message and stack, read at export', async () => {
    const { tracer, spans } = setup()
    const span = tracer.startSpan('work')
    span.recordException(new RangeError('too far'))
    span.recordException('just text')
    span.end()
    const [error, text] = (await spans()).work!.events
    expect(error?.attributes).toMatchObject({
      'exception.type': 'RangeError',
      'exception.message': 'too far',
      'exception.stacktrace': expect.stringContaining('tracer.test.ts'),
    })
    expect(text?.attributes['exception.message']).toBe('just text')
  })
})

describe('ended spans', () => {
  test('a handle kept too long never touches the span that has its slot now', async () => {
    const { tracer, spans } = setup({ pool: 1 })
    const old = tracer.startSpan('old')
    const context = old.spanContext()
    old.end()
    await tracer.flush()
    const current = tracer.startSpan('current')
    old.setAttribute('stale', 1).setAttributes({ stale: 2 }).addEvent('stale').updateName('stale')
    old.setStatus({ code: StatusCode.ERROR }).addLink({ context })
    old.recordException(new Error('stale'))
    old.end()
    expect(old.isRecording()).toBe(false)
    expect(current.isRecording()).toBe(true)
    current.end()
    expect(old.spanContext()).toEqual(context)
    const byName = await spans()
    expect(Object.keys(byName)).toEqual(['old', 'current'])
    expect(byName.current).toMatchObject({ attributes: {}, events: [], links: [] })
    expect(byName.current?.status.code).toBe(StatusCode.UNSET)
    expect(tracer.stats().lateCalls).toBe(8)
  })

  test('children of an ended root still join its trace', async () => {
    const { tracer, spans } = setup()
    const root = tracer.startSpan('root')
    root.end()
    await tracer.flush()
    tracer.startSpan('child', { parent: root }).end()
    const { child } = await spans()
    expect(child).toMatchObject({
      traceId: root.spanContext().traceId,
      parentSpanId: root.spanContext().spanId,
    })
  })

  test('a slot that is reused shows nothing of the span before', async () => {
    const { tracer, spans } = setup({ pool: 1 })
    const first = tracer.startSpan('first', { attributes: { secret: 1 }, parent: null })
    first.addEvent('secret')
    tracer.startSpan('sub', { parent: first }).end()
    first.end()
    await tracer.flush()
    tracer.startSpan('second').end()
    expect((await spans()).second).toMatchObject({
      attributes: {},
      events: [],
      parentSpanId: undefined,
    })
  })
})

describe('the pool', () => {
  test('an empty pool costs an allocation, never a span', async () => {
    const { tracer, spans } = setup({ pool: 2 })
    const open = Array.from({ length: 5 }, (_, i) =>
      tracer.startSpan(`s${i}`, { attributes: { i } }),
    )
    expect(tracer.stats()).toMatchObject({ poolFree: 0, unpooled: 3 })
    for (const span of open) span.end()
    const byName = await spans()
    expect(Object.keys(byName).sort()).toEqual(['s0', 's1', 's2', 's3', 's4'])
    expect(byName.s4?.attributes).toEqual({ i: 4 })
    expect(tracer.stats()).toMatchObject({
      poolFree: 2,
      started: 5,
      ended: 5,
      exported: 5,
      waiting: 0,
    })
  })

  test('the share of traces on the pooled path moves at run time, whole traces at a time', async () => {
    const { tracer } = setup({ optimized: 0 })
    tracer.startSpan('a').end()
    expect(tracer.stats()).toMatchObject({ unpooled: 1, optimized: 0 })
    tracer.setOptimized(100)
    tracer.startSpan('b').end()
    expect(tracer.stats().unpooled).toBe(1)
    tracer.setOptimized(50)
    for (let i = 0; i < 1_000; i++) {
      const before = tracer.stats().unpooled
      const root = tracer.startSpan('root', { parent: null })
      const plain = tracer.stats().unpooled - before
      const child = tracer.startSpan('child', { parent: root })
      expect(tracer.stats().unpooled - before).toBe(plain * 2)
      child.end()
      root.end()
      if (i % 100 === 0) await tracer.flush()
    }
    expect(tracer.stats().unpooled).toBeGreaterThan(800)
    expect(tracer.stats().unpooled).toBeLessThan(1_200)
    expect(() => tracer.setOptimized(101)).toThrow(InvalidOptionError)
  })
})

describe('the active span', () => {
  test('is the parent across awaits, timers and nested spans', async () => {
    const { tracer, spans } = setup()
    await tracer.span('outer', async outer => {
      expect(tracer.activeSpan()).toBe(outer)
      await immediate()
      await tracer.span('inner', async () => {
        await immediate()
        tracer.startSpan('leaf').end()
      })
      expect(tracer.activeSpan()).toBe(outer)
    })
    expect(tracer.activeSpan()).toBeUndefined()
    const { outer, inner, leaf } = await spans()
    expect(outer?.parentSpanId).toBeUndefined()
    expect(inner?.parentSpanId).toBe(outer?.spanId)
    expect(leaf?.parentSpanId).toBe(inner?.spanId)
    expect(new Set([outer?.traceId, inner?.traceId, leaf?.traceId]).size).toBe(1)
  })

  test('parallel flows do not see each other', async () => {
    const { tracer, spans } = setup()
    await Promise.all(
      ['a', 'b', 'c'].map(name =>
        tracer.span(name, { parent: null }, async () => {
          await immediate()
          tracer.startSpan(`${name}-child`).end()
        }),
      ),
    )
    const byName = await spans()
    for (const name of ['a', 'b', 'c']) {
      expect(byName[`${name}-child`]?.parentSpanId).toBe(byName[name]?.spanId)
    }
  })

  test('what a span throws or rejects with is recorded and passed on', async () => {
    const { tracer, spans } = setup()
    const error = Object.assign(new Error('no'), { code: 'E_NO' })
    expect(() =>
      tracer.span('throws', () => {
        throw error
      }),
    ).toThrow(error)
    await expect(tracer.span('rejects', async () => Promise.reject(error))).rejects.toBe(error)
    for (const span of Object.values(await spans())) {
      expect(span).toMatchObject({
        status: { code: StatusCode.ERROR, message: 'no' },
        attributes: { 'error.type': 'E_NO' },
        events: [{ name: 'exception' }],
      })
    }
  })
})

describe('wrappers', () => {
  test('keep this, name, length, result and errors, sync and async', async () => {
    const { tracer, spans } = setup()
    const object = {
      base: 10,
      add: tracer.traced(function add(this: { base: number }, a: number, b: number) {
        return this.base + a + b
      }),
      addLater: tracer.traced(async function addLater(this: { base: number }, a: number) {
        await immediate()
        return this.base + a
      }),
      addNow: tracer.traced(
        function addNow(this: { base: number }, a: number) {
          return this.base + a
        },
        { sync: true, attributes: { fixed: 1 }, before: (span, [a]) => span.setAttribute('a', a) },
      ),
    }
    expect(object.add(1, 2)).toBe(13)
    await expect(object.addLater(5)).resolves.toBe(15)
    expect(object.addNow(7)).toBe(17)
    expect([object.add.name, object.add.length]).toEqual(['add', 2])
    const byName = await spans()
    expect(Object.keys(byName).sort()).toEqual(['add', 'addLater', 'addNow'])
    expect(byName.addNow?.attributes).toEqual({ fixed: 1, a: 7 })
  })

  test('synchronous spans nest, also when they throw', async () => {
    const { tracer, spans } = setup()
    const failing = tracer.traced(
      function inner() {
        throw new Error('inside')
      },
      { sync: true },
    )
    const enclosing = tracer.traced(
      function outer() {
        expect(failing).toThrow('inside')
        tracer.startSpan('after').end()
      },
      { sync: true },
    )
    enclosing()
    expect(tracer.activeSpan()).toBeUndefined()
    const byName = await spans()
    expect(byName.inner?.parentSpanId).toBe(byName.outer?.spanId)
    expect(byName.after?.parentSpanId).toBe(byName.outer?.spanId)
    expect(byName.inner?.status.code).toBe(StatusCode.ERROR)
  })

  test('decorate methods', async () => {
    const { tracer, spans } = setup()
    class Users {
      readonly table = 'users'

      @tracer.traced({ kind: SpanKind.CLIENT })
      async load(id: number) {
        return `${this.table}:${id}`
      }

      @tracer.traced({ name: 'users.save' })
      save(id: number) {
        return id
      }
    }
    const users = new Users()
    await expect(users.load(1)).resolves.toBe('users:1')
    expect(users.save(2)).toBe(2)
    const byName = await spans()
    expect(byName.load?.kind).toBe(SpanKind.CLIENT)
    expect(byName['users.save']?.kind).toBe(SpanKind.INTERNAL)
  })

  test('of a disabled tracer are the functions themselves', () => {
    const fn = () => 1
    expect(setup({ enabled: false }).tracer.traced(fn)).toBe(fn)
    expect(new Tracer().traced()(fn)).toBe(fn)
    expect(new Tracer().startSpan('x').isRecording()).toBe(false)
  })
})

describe('sampling', () => {
  test('an unsampled span keeps its trace for propagation and records nothing', async () => {
    const { tracer, spans } = setup({ sampler: alwaysOff })
    const root = tracer.startSpan('root')
    const child = tracer.startSpan('child', { parent: root })
    expect(root.isRecording()).toBe(false)
    expect(child.spanContext().traceId).toBe(root.spanContext().traceId)
    expect(child.spanContext().spanId).not.toBe(root.spanContext().spanId)
    expect(child.spanContext().traceFlags).toBe(2)
    child.setAttribute('a', 1).end()
    expect(await spans()).toEqual({})
  })

  test('a probability keeps its share, by trace id, and says so downstream', async () => {
    const { tracer } = setup({ sampler: ratio(0.25) })
    let kept = 0
    for (let i = 0; i < 4_000; i++) {
      const span = tracer.startSpan('root')
      const { traceId, traceState } = span.spanContext()
      const random = BigInt(`0x${traceId.slice(18)}`)
      expect(span.isRecording()).toBe(random >= 0xc0_0000_0000_0000n)
      if (span.isRecording()) {
        kept++
        expect(traceState?.serialize()).toBe('ot=th:c')
      }
      span.end()
      if (i % 200 === 0) await tracer.flush()
    }
    expect(kept).toBeGreaterThan(850)
    expect(kept).toBeLessThan(1_150)
  })

  test('spans follow their parent by default, and not with always on or off', () => {
    const context = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
    const recorded = (options: TracerOptions, traceFlags: number) =>
      setup(options)
        .tracer.startSpan('s', { parent: { ...context, traceFlags } })
        .isRecording()
    expect(recorded({}, 1)).toBe(true)
    expect(recorded({}, 0)).toBe(false)
    expect(recorded({ sampler: ratio(0) }, 1)).toBe(true)
    expect(recorded({ sampler: alwaysOn }, 0)).toBe(true)
    expect(recorded({ sampler: alwaysOff }, 1)).toBe(false)
    expect(recorded({ sampler: ratio(0, { parentBased: false }) }, 1)).toBe(false)
  })
})

describe('options', () => {
  test.each([
    [{ pool: -1 }, 'Expected `pool` to be an integer from 0 to 1000000, got -1 (number)'],
    [{ batchSize: 1.5 }, 'Expected `batchSize` to be an integer from 1 to 10000, got 1.5 (number)'],
    [{ delay: 0 }, 'Expected `delay` to be a finite number above 0, got 0 (number)'],
    [{ optimized: 120 }, 'Expected `optimized` to be a number from 0 to 100, got 120 (number)'],
    [
      { limits: { events: -5 } },
      'Expected `limits.events` to be an integer from 0 to 1000000000, got -5 (number)',
    ],
    [
      { exporter: 'console' as never },
      'Expected `exporter` to be an exporter, got "console" (string)',
    ],
  ])('refuses %o', (options, message) => {
    expect(() => new Tracer(options)).toThrow(InvalidOptionError)
    expect(() => new Tracer(options)).toThrow(message)
  })
})

function ids({ traceId, spanId }: { traceId: string; spanId: string }) {
  return { traceId, spanId }
}
