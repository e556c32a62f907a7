import {
  type Tracer as ApiTracer,
  context,
  createContextKey,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { isTracingSuppressed, suppressTracing } from '@opentelemetry/core'
import { afterEach, describe, expect, test } from 'vitest'
import type { Exporter } from '../export/exporter.ts'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { extract, inject } from '../propagation/carrier.ts'
import { Tracer } from '../tracer/tracer.ts'
import { MillracePropagator } from './propagator.ts'
import { MillraceTracerProvider } from './tracer-provider.ts'

afterEach(() => {
  trace.disable()
  context.disable()
  propagation.disable()
})

function setup() {
  const exporter = new MemoryExporter()
  const tracer = new Tracer({ exporter, signals: [] })
  return { exporter, tracer, provider: new MillraceTracerProvider(tracer) }
}

test('registering beside a foreign context manager puts nothing in place', () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const { provider } = setup()
  expect(provider.register()).toBe(false)
  expect(trace.getTracer('app').startSpan('none').isRecording()).toBe(false)
  expect(propagation.fields()).toEqual([])
})

test('registering beside a foreign provider takes the context manager back', () => {
  trace.setGlobalTracerProvider(setup().provider)
  const { provider } = setup()
  expect(provider.register()).toBe(false)
  const manager = new AsyncLocalStorageContextManager().enable()
  expect(context.setGlobalContextManager(manager)).toBe(true)
})

test.each([undefined, null, {}, trace.getTracerProvider()])(
  '%o is no tracer, and registers nothing',
  given => {
    expect(() => new MillraceTracerProvider(given as never)).toThrow(
      'Expected `tracer` to be a Tracer',
    )
  },
)

test('a provider used under a foreign context manager follows its active spans', async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const { exporter, tracer, provider } = setup()
  trace.setGlobalTracerProvider(provider)
  const api = trace.getTracer('app')
  await api.startActiveSpan('parent', async parent => {
    await null
    api.startSpan('child').end()
    api.startSpan('explicit', {}, context.active()).end()
    api.startActiveSpan('active', span => span.end())
    parent.end()
  })
  await tracer.flush()
  const { parent, ...children } = Object.fromEntries(exporter.spans.map(span => [span.name, span]))
  expect(Object.keys(children)).toEqual(['child', 'explicit', 'active'])
  for (const child of Object.values(children)) {
    expect(child).toMatchObject({ traceId: parent!.traceId, parentSpanId: parent!.spanId })
  }
})

describe.each([
  ['a foreign context manager', () => context.setGlobalContextManager(foreign())],
  [
    'a foreign one that makes a context each time',
    () => context.setGlobalContextManager(copying()),
  ],
  ['no context manager', () => true],
  ['the own one', (provider: MillraceTracerProvider) => provider.register()],
])('with %s', (name, manage) => {
  test('spans of API and tracer are each other’s children', async () => {
    const { exporter, tracer, provider } = setup()
    expect(manage(provider)).toBe(true)
    const api = provider.getTracer('app')
    const active = <T>(span: string, fn: () => T): T =>
      api.startActiveSpan(span, it => {
        const result = fn()
        it.end()
        return result
      })
    // Each is named after its parents.
    await active('a', async () => {
      api.startSpan('a.b').end()
      tracer.span('a.c', () => active('a.c.d', () => tracer.startSpan('a.c.d.e').end()))
      active('a.f', () => active('a.f.g', () => tracer.startSpan('a.f.g.h').end()))
      if (name.includes('foreign')) {
        const outer = api.startSpan('a.i')
        context.with(trace.setSpan(context.active(), outer), () => api.startSpan('a.i.j').end())
        outer.end()
      }
    })
    api.startActiveSpan('k', { root: true }, span => {
      active('k.l', () => {})
      span.end()
    })
    tracer.startSpan('m').end()
    api.startSpan('n').end()
    await tracer.flush()
    const names = new Map(exporter.spans.map(span => [span.spanId, span.name]))
    for (const span of exporter.spans) {
      const parent = span.name.includes('.') ? span.name.slice(0, -2) : undefined
      expect(names.get(span.parentSpanId ?? ''), span.name).toBe(parent)
    }
    expect(exporter.spans.length).toBeGreaterThanOrEqual(10)
  })
})

describe.each([
  ['a foreign context manager', () => context.setGlobalContextManager(foreign())],
  ['the own one', (provider: MillraceTracerProvider) => provider.register()],
])('with %s, spans of the tracer', (_, manage) => {
  const KEY = createContextKey('key')
  const REMOTE = trace.setSpanContext(ROOT_CONTEXT, {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: 1,
    isRemote: true,
  })

  async function run(fn: (tracer: Tracer, api: ApiTracer) => Promise<void> | void) {
    const { exporter, tracer, provider } = setup()
    expect(manage(provider)).toBe(true)
    await fn(tracer, provider.getTracer('app'))
    await tracer.flush()
    const names = new Map(exporter.spans.map(span => [span.spanId, span.name]))
    names.set('b7ad6b7169203331', 'remote')
    return Object.fromEntries(
      exporter.spans.map(span => [span.name, names.get(span.parentSpanId ?? '')]),
    )
  }

  test('stay active where the API’s context is given other values', async () => {
    const parents = await run((tracer, api) => {
      tracer.span('a', () =>
        context.with(context.active().setValue(KEY, 1), () => {
          api.startSpan('b').end()
          tracer.span('c', () => {
            expect(context.active().getValue(KEY)).toBe(1)
            api.startSpan('d', {}, context.active().setValue(KEY, 2)).end()
          })
        }),
      )
    })
    expect(parents).toEqual({ a: undefined, b: 'a', c: 'a', d: 'c' })
  })

  test('are in the context that the API tells, and in one that it kept', async () => {
    const headers: Record<string, string> = {}
    const parents = await run(async (tracer, api) => {
      const kept = await tracer.span('a', async span => {
        await null
        expect(trace.getActiveSpan()).toBe(span)
        new MillracePropagator(tracer.propagation).inject(
          context.active(),
          headers,
          defaultTextMapSetter,
        )
        expect(headers.traceparent).toContain(span.spanContext().spanId)
        return context.active()
      })
      context.with(kept, () => {
        api.startSpan('b').end()
        tracer.startSpan('c').end()
      })
    })
    expect(parents).toEqual({ a: undefined, b: 'a', c: 'a' })
  })

  test('follow what the API makes active, and leave it again', async () => {
    const parents = await run(async (tracer, api) => {
      await tracer.span('a', async () => {
        await context.with(REMOTE, async () => {
          await null
          tracer.span('b', () => api.startSpan('c').end())
          const work = tracer.traced(() => tracer.startSpan('e').end(), { name: 'd', sync: true })
          work()
          tracer.startSpan('f').end()
        })
        context.with(ROOT_CONTEXT, () => tracer.startSpan('g').end())
        tracer.startSpan('h').end()
      })
    })
    expect(parents).toEqual({
      a: undefined,
      b: 'remote',
      c: 'b',
      d: 'remote',
      e: 'd',
      f: 'remote',
      g: undefined,
      h: 'a',
    })
  })

  test('and requests carry the baggage that the API set last', async () => {
    const headers: Record<string, string>[] = [{}, {}, {}]
    await run(tracer => {
      const baggage = propagation.createBaggage({ tenant: { value: '7' } })
      context.with(propagation.setBaggage(context.active(), baggage), () => {
        inject(headers[0]!)
        tracer.span('a', { parent: extract({ baggage: 'tenant=8' }) }, () => {
          inject(headers[1]!)
          expect(propagation.getActiveBaggage()?.getEntry('tenant')?.value).toBe('8')
        })
        inject(headers[2]!)
      })
    })
    expect(headers.map(({ baggage }) => baggage)).toEqual(['tenant=7', 'tenant=8', 'tenant=7'])
  })

  test('are not made where the API suppresses tracing', async () => {
    const parents = await run((tracer, api) => {
      tracer.span('a', () => {
        context.with(suppressTracing(context.active()), () => {
          tracer.startSpan('none').end()
          tracer.span('none', () => api.startSpan('none').end())
        })
        tracer.startSpan('b').end()
      })
    })
    expect(parents).toEqual({ a: undefined, b: 'a' })
  })
})

test('what an exporter does is not traced under a foreign context manager', async () => {
  context.setGlobalContextManager(foreign())
  const names: string[] = []
  const suppressed: boolean[] = []
  const exporter: Exporter = {
    write(span) {
      names.push(span.name)
      suppressed.push(isTracingSuppressed(context.active()))
      tracer.startSpan('of the exporter').end()
    },
    send() {},
    async flush() {
      suppressed.push(isTracingSuppressed(context.active()))
      provider.getTracer('http').startSpan('of its client').end()
    },
    async close() {},
    stats: () => ({ exported: names.length, dropped: 0, queued: 0, queuedBytes: 0 }),
  }
  const tracer = new Tracer({ exporter, signals: [] })
  const provider = new MillraceTracerProvider(tracer)
  await provider.getTracer('app').startActiveSpan('a', async span => {
    span.end()
    await tracer.flush()
  })
  expect(names).toEqual(['a'])
  expect(suppressed).toEqual([true, true])
})

test.each([
  [
    'throws',
    () => {
      throw new Error('broken')
    },
  ],
  ['tells what is no context', () => null as never],
])('a context manager that %s breaks no span', async (_, fault) => {
  const manager = foreign()
  context.setGlobalContextManager(manager)
  const { exporter, tracer, provider } = setup()
  manager.active = fault
  manager.with = fault
  const api = provider.getTracer('app')
  const results = [
    tracer.span('a', () => 1),
    tracer.traced(() => 2, { name: 'b', sync: true })(),
    api.startActiveSpan('c', span => {
      span.end()
      return 3
    }),
  ]
  api.startSpan('d').end()
  await tracer.flush()
  expect(exporter.spans.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd'])
  expect(results).toEqual([1, 2, 3])
})

test('a second provider is registered where the first was disabled and its manager stayed', async () => {
  const first = setup()
  const second = setup()
  expect(first.provider.register()).toBe(true)
  expect(second.provider.register()).toBe(false)
  trace.disable()
  expect(second.provider.register()).toBe(true)
  second.tracer.span('a', () => trace.getTracer('app').startSpan('b').end())
  await second.tracer.flush()
  const [b, a] = second.exporter.spans
  expect(b).toMatchObject({ name: 'b', parentSpanId: a!.spanId })
})

function foreign(): AsyncLocalStorageContextManager {
  return new AsyncLocalStorageContextManager().enable()
}

function copying(): AsyncLocalStorageContextManager {
  const manager = foreign()
  const active = manager.active.bind(manager)
  manager.active = () => active().deleteValue(Symbol.for('none'))
  return manager
}
