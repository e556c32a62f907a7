import { execFile } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { suppressTracing } from '@opentelemetry/core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { inject } from '../propagation/carrier.ts'
import { Tracer } from '../tracer/tracer.ts'
import { MillraceTracerProvider } from './tracer-provider.ts'

const exporter = new MemoryExporter()
const tracer = new Tracer({ exporter, signals: [] })
const api = trace.getTracer('app', '1.0')

beforeAll(() => {
  expect(new MillraceTracerProvider(tracer).register()).toBe(true)
})
beforeEach(async () => {
  await tracer.flush()
  exporter.spans.length = 0
})
afterAll(() => {
  context.disable()
  propagation.disable()
  trace.disable()
  return tracer.close()
})

async function finished() {
  await tracer.flush()
  return Object.fromEntries(exporter.spans.map(span => [span.name, span]))
}

describe('the API on our provider', () => {
  test('spans of the API and of the tracer are parents of each other', async () => {
    api.startActiveSpan('a', a => {
      expect(trace.getActiveSpan()).toBe(a)
      tracer.span('b', b => {
        expect(trace.getActiveSpan()).toBe(b)
        api.startSpan('c', { kind: SpanKind.CLIENT }).end()
        api.startSpan('root', { root: true }).end()
      })
      expect(trace.getActiveSpan()).toBe(a)
      a.end()
    })
    const { a, b, c, root } = await finished()
    expect(b?.parentSpanId).toBe(a?.spanId)
    expect(c).toMatchObject({
      parentSpanId: b?.spanId,
      kind: 2,
      scope: { name: 'app', version: '1.0' },
    })
    expect(root?.parentSpanId).toBeUndefined()
    expect(root?.traceId).not.toBe(a?.traceId)
  })

  test('all forms of startActiveSpan, with options and contexts', async () => {
    const ending = (result: number) => (span: { end(): void }) => {
      span.end()
      return result
    }
    const parent = api.startSpan('parent')
    const key = createContextKey('mine')
    const base = trace.setSpan(ROOT_CONTEXT, parent).setValue(key, 'kept')
    expect(api.startActiveSpan('one', ending(1))).toBe(1)
    expect(api.startActiveSpan('two', { attributes: { a: 1 } }, ending(2))).toBe(2)
    const seen = api.startActiveSpan('three', {}, base, span => {
      span.end()
      return context.active().getValue(key)
    })
    parent.end()
    expect(seen).toBe('kept')
    const { two, three } = await finished()
    expect(two?.attributes).toEqual({ a: 1 })
    expect(three?.parentSpanId).toBe(parent.spanContext().spanId)
  })

  test('contexts keep foreign keys, also under spans of the tracer', async () => {
    const key = createContextKey('mine')
    await context.with(context.active().setValue(key, 1), async () => {
      await tracer.span('inner', async span => {
        expect(context.active().getValue(key)).toBe(1)
        expect(trace.getSpan(context.active())).toBe(span)
        expect(context.active().deleteValue(key).getValue(key)).toBeUndefined()
      })
      expect(trace.getActiveSpan()).toBeUndefined()
    })
  })

  test('parents that are only a context are followed', async () => {
    const parent = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), isRemote: true }
    const under = (traceFlags: number) =>
      api.startSpan('child', {}, trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags }))
    expect(under(TraceFlags.NONE).isRecording()).toBe(false)
    under(TraceFlags.SAMPLED).end()
    expect((await finished()).child).toMatchObject({
      traceId: parent.traceId,
      parentSpanId: parent.spanId,
      parentRemote: true,
    })
  })

  test('suppressed contexts record nothing', async () => {
    context.with(suppressTracing(context.active()), () => {
      expect(api.startSpan('a').isRecording()).toBe(false)
      expect(tracer.startSpan('b').isRecording()).toBe(false)
      const carrier = {}
      propagation.inject(context.active(), carrier)
      expect(carrier).toEqual({})
    })
    expect(await finished()).toEqual({})
  })

  test('baggage goes both ways, through headers and between the two views', () => {
    const extracted = propagation.extract(ROOT_CONTEXT, {
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      tracestate: 'x=1',
      baggage: 'tenant=acme;meta',
    })
    expect(propagation.getBaggage(extracted)?.getEntry('tenant')?.value).toBe('acme')
    context.with(extracted, () => {
      const [native, viaApi] = [{}, {}] as Record<string, string>[]
      inject(native!)
      propagation.inject(context.active(), viaApi)
      expect(native).toEqual({
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
        tracestate: 'x=1',
        baggage: 'tenant=acme;meta',
      })
      expect(viaApi).toEqual(native)
    })
  })

  test('bind keeps a context for functions and listeners', () => {
    const span = api.startSpan('bound')
    const bound = trace.setSpan(ROOT_CONTEXT, span)
    expect(context.bind(bound, () => trace.getActiveSpan())()).toBe(span)
    const emitter = context.bind(bound, new EventEmitter())
    const seen: unknown[] = []
    const listener = () => seen.push(trace.getActiveSpan())
    emitter.on('x', listener)
    emitter.once('x', listener)
    emitter.emit('x')
    emitter.emit('x')
    emitter.off('x', listener)
    emitter.emit('x')
    expect(seen).toEqual([span, span, span])
  })

  test('attach makes a context active until it is disposed of', () => {
    const span = api.startSpan('attached')
    const manager = context as unknown as {
      _getContextManager(): { attach(c: unknown): { dispose(): void } }
    }
    const token = manager._getContextManager().attach(trace.setSpan(ROOT_CONTEXT, span))
    expect(trace.getActiveSpan()).toBe(span)
    token.dispose()
    expect(trace.getActiveSpan()).toBeUndefined()
  })
})

test('@opentelemetry/instrumentation-http and -undici make the expected tree', async () => {
  const fixture = fileURLToPath(new URL('./instrumented.fixture.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=millrace-source',
    fixture,
  ])
  const { registered, seen, spans } = JSON.parse(stdout) as {
    registered: boolean
    seen: { traceparent: string; baggage: string }
    spans: {
      name: string
      kind: number
      spanId: string
      parentSpanId?: string
      traceId: string
      scope: string
      attributes: Record<string, unknown>
    }[]
  }
  expect(registered).toBe(true)
  const byId = new Map(spans.map(span => [span.spanId, span]))
  const path = (span: (typeof spans)[number]): string => {
    const parent = byId.get(span.parentSpanId ?? '')
    return `${parent === undefined ? '' : `${path(parent)} > `}${span.name}:${span.kind}`
  }
  expect(spans.map(path).sort()).toEqual([
    'test:0',
    'test:0 > GET:2',
    'test:0 > GET:2 > GET:1',
    'test:0 > GET:2 > GET:1 > manual:0',
    'test:0 > GET:2 > GET:1 > manual:0 > GET:2',
    'test:0 > GET:2 > GET:1 > manual:0 > GET:2 > GET:1',
    'test:0 > GET:2 > GET:1 > manual:0 > native:0',
  ])
  expect(new Set(spans.map(span => span.traceId)).size).toBe(1)
  const undici = spans.find(span => span.scope.endsWith('instrumentation-undici'))
  expect(seen.traceparent).toBe(`00-${undici?.traceId}-${undici?.spanId}-03`)
  expect(seen.baggage).toBe('tenant=acme')
})
