import {
  type Attributes as ApiAttributes,
  type Link as ApiLink,
  type Span as ApiSpan,
  type SpanContext as ApiSpanContext,
  type SpanOptions as ApiSpanOptions,
  type TimeInput as ApiTimeInput,
  type Context,
  type HrTime,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import {
  type Attributes,
  extract,
  inject,
  type Link,
  type Span,
  type SpanContext,
  type TimeInput,
} from '../index.ts'
import { Tracer } from '../tracer/tracer.ts'

/*
 * A framework has values of the API's types in its hands, and of this package's: each is taken where it works, without a cast. What
 * is assigned below fails to compile where it is not.
 */

const exporter = new MemoryExporter()
const tracer = new Tracer({ exporter, signals: [] })
const foreign = new TracerProvider().getTracer('other')

async function finished() {
  await tracer.flush()
  return exporter.spans.splice(0)
}

describe("the API's types are taken", () => {
  test('a span, as what is active, as a parent and for headers', async () => {
    const parent: ApiSpan = foreign.startSpan('parent')
    const { traceId, spanId } = parent.spanContext()
    tracer.withSpan(parent, () => tracer.startSpan('active').end())
    tracer.startSpan('span', { parent }).end()
    tracer.span('span', { parent }, () => {})
    const context: ApiSpanContext = parent.spanContext()
    tracer.startSpan('context', { parent: context }).end()
    const headers: Record<string, string> = {}
    inject(headers, parent)
    tracer.startSpan('headers', { parent: extract(headers) }).end()
    for (const span of await finished()) {
      expect(span).toMatchObject({ traceId, parentSpanId: spanId })
    }
  })

  test('options, attributes, links, times, statuses and exceptions', async () => {
    const attributes: ApiAttributes = { a: 1, b: ['x'] }
    const link: ApiLink = { context: foreign.startSpan('linked').spanContext(), attributes }
    const hrTime: HrTime = [1_700_000_000, 5]
    const time: ApiTimeInput = hrTime
    const options: ApiSpanOptions = {
      kind: SpanKind.CLIENT,
      attributes,
      links: [link],
      startTime: time,
    }
    const span = tracer.startSpan('x', options)
    span.setAttributes(attributes).setAttribute('c', attributes.b)
    span.addEvent('at', hrTime).addEvent('with', attributes, time)
    span.addLink(link).addLinks([link])
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'm' })
    span.end(hrTime)
    expect(await finished()).toMatchObject([
      {
        kind: SpanKind.CLIENT,
        attributes: { a: 1, b: ['x'], c: ['x'] },
        links: Array(3).fill({ spanId: link.context.spanId, attributes }),
        events: [{ name: 'at' }, { name: 'with', attributes }],
        status: { code: 2, message: 'm' },
      },
    ])
  })
})

describe("this package's types are the API's", () => {
  test('a span goes where the API wants one', async () => {
    const span: Span = tracer.startSpan('parent')
    const asApi: ApiSpan = span
    const context: Context = trace.setSpan(ROOT_CONTEXT, span)
    expect(trace.getSpan(context)).toBe(asApi)
    const spanContext: ApiSpanContext = span.spanContext()
    const back: SpanContext = spanContext
    const child = foreign.startSpan('child', { links: [{ context: back }] }, context)
    expect(child.spanContext().traceId).toBe(back.traceId)
    const active: ApiSpan | undefined = tracer.withSpan(span, () => tracer.activeSpan())
    expect(active).toBe(span)
    // What a framework asks of its users, who may give it either.
    const hook = (given: ApiSpan, attributes: ApiAttributes): void => {
      given.setAttributes(attributes)
    }
    await tracer.span('hooked', inner => hook(inner, { a: 1 }))
    expect(await finished()).toMatchObject([{ name: 'hooked', attributes: { a: 1 } }])
  })

  test('attributes, times and links, too', () => {
    const attributes: Attributes = { a: 1 }
    const asApi: ApiAttributes = attributes
    const time: TimeInput = new Date(5)
    const link: Link = { context: tracer.startSpan('x').spanContext(), attributes }
    const span = foreign.startSpan('y', {
      attributes: asApi,
      links: [{ ...link, attributes: asApi }],
    })
    expect(() => span.addEvent('e', attributes).end(time as ApiTimeInput)).not.toThrow()
  })
})

test('what names no span is refused', () => {
  // @ts-expect-error a span has a context
  expect(() => tracer.startSpan('x', { parent: 'abc' }).end()).not.toThrow()
  // @ts-expect-error a span has a context
  expect(tracer.withSpan({}, () => 5)).toBe(5)
  // @ts-expect-error not a time
  expect(() => tracer.startSpan('x', { startTime: '2020' }).end('now')).not.toThrow()
})
