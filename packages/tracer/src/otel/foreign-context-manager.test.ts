import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { afterEach, describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'
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
    // Each is named after its parents. A manager whose contexts are never the same twice leaves it open which one is the newest.
    await active('a', async () => {
      api.startSpan('a.b').end()
      tracer.span('a.c', () => {
        if (!name.includes('each time')) {
          active('a.c.d', () => tracer.startSpan('a.c.d.e').end())
        }
      })
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

function foreign(): AsyncLocalStorageContextManager {
  return new AsyncLocalStorageContextManager().enable()
}

function copying(): AsyncLocalStorageContextManager {
  const manager = foreign()
  const active = manager.active.bind(manager)
  manager.active = () => active().deleteValue(Symbol.for('none'))
  return manager
}
