import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { afterEach, expect, test } from 'vitest'
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
