import { setImmediate as immediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { SpanKind, StatusCode } from '../span/api/span.ts'
import { memoryTracer } from '../tracer/memory-tracer.fixture.ts'
import { Tracer } from '../tracer/tracer.ts'

describe('wrappers', () => {
  test('keep this, name, length, result and errors, sync and async', async () => {
    const { tracer, spans } = memoryTracer()
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

  test.each([
    [
      'throws',
      () => {
        throw new Error('then')
      },
    ],
    ['makes no promise', (done: (value: unknown) => void) => done(7)],
  ])('hand on an object whose `then` %s as it is, and end the span', async (how, then) => {
    const { tracer, spans } = memoryTracer()
    const thenable = { then }
    expect(tracer.traced(() => thenable, { name: 'traced' })()).toBe(thenable)
    expect(tracer.span('span', () => thenable)).toBe(thenable)
    const { traced, span } = await spans()
    const status = { code: how === 'throws' ? StatusCode.ERROR : StatusCode.UNSET }
    expect([traced?.status, span?.status]).toMatchObject([status, status])
  })

  test('synchronous spans nest, also when they throw', async () => {
    const { tracer, spans } = memoryTracer()
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
    const { tracer, spans } = memoryTracer()
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

  test.each([
    ['a generator', false],
    ['an asynchronous generator', true],
  ])('end with %s that they made, whose steps run in the span', async (_, later) => {
    const exporter = new MemoryExporter()
    const tracer = new Tracer({ exporter, signals: [] })
    function* now(count: number) {
      for (let i = 0; i < count; i++) yield tracer.span('step', () => i)
      if (count === 0) throw new Error('none')
    }
    async function* slow(count: number) {
      for (const value of now(count)) {
        await immediate()
        yield value
      }
    }
    const numbers = tracer.traced(later ? slow : now, { name: 'numbers', sync: true })
    const begun = numbers(1)
    expect(tracer.stats()).toMatchObject({ started: 1, ended: 0 })
    await begun.return()
    expect(tracer.stats()).toMatchObject({ started: 1, ended: 1 })
    const values: number[] = []
    for await (const value of numbers(2)) values.push(value)
    expect(values).toEqual([0, 1])
    const failing = tracer.span('outer', async () => numbers(0))
    const failed = async () => (await failing).next()
    await expect(failed()).rejects.toThrow('none')
    await tracer.flush()
    const ended = exporter.spans.map(span => [span.name, span.status.message ?? ''])
    expect(ended).toEqual([
      ['numbers', ''],
      ['step', ''],
      ['step', ''],
      ['numbers', ''],
      ['numbers', 'none'],
      ['outer', 'none'],
    ])
    const [, first, second, whole, inner, outer] = exporter.spans
    expect([first!.parentSpanId, second!.parentSpanId]).toEqual([whole!.spanId, whole!.spanId])
    expect(inner!.parentSpanId).toBe(outer!.spanId)
  })

  test('of a disabled tracer are the functions themselves', () => {
    const fn = () => 1
    expect(memoryTracer({ enabled: false }).tracer.traced(fn)).toBe(fn)
    expect(new Tracer().traced()(fn)).toBe(fn)
    expect(new Tracer().startSpan('x').isRecording()).toBe(false)
  })
})
