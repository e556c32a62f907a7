import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { PropagatorName } from './propagation.ts'

const TRACE = '80f198ee56343ba864fe8b2a57d3eff7'
const SHORT = '64fe8b2a57d3eff7'
const SPAN = 'e457b5a2e4d86bd1'
const PARENT = '05e3ac9a4f6e3b90'

function tracerWith(...propagators: PropagatorName[]): Tracer {
  return new Tracer({ exporter: new MemoryExporter(), signals: [], propagators })
}

/** What a service that was called with these headers sends on from a span of its own. */
function sentOn(
  headers: Record<string, string | string[]>,
  ...propagators: PropagatorName[]
): Record<string, string> {
  const tracer = tracerWith(...propagators)
  const sent: Record<string, string> = {}
  const parent = tracer.propagation.extract(headers)
  tracer.span('call', { parent }, () => tracer.propagation.inject(sent))
  return sent
}

describe('B3 in a single header', () => {
  test.each([
    [`${TRACE}-${SPAN}-1`, TRACE, '1'],
    [`${TRACE}-${SPAN}-0`, TRACE, '0'],
    [`${TRACE}-${SPAN}-d`, TRACE, 'd'],
    [`${TRACE}-${SPAN}`, TRACE, '0'],
    [`${TRACE}-${SPAN}-1-${PARENT}`, TRACE, '1'],
    [` ${TRACE}-${SPAN}-1 `, TRACE, '1'],
    [`${SHORT}-${SPAN}-1`, SHORT.padStart(32, '0'), '1'],
    [`${TRACE.toUpperCase()}-${SPAN.toUpperCase()}-1`, TRACE, '1'],
  ])('%s goes on', (b3, traceId, state) => {
    const sent = sentOn({ b3 }, 'b3')
    expect(Object.keys(sent)).toEqual(['b3'])
    const [trace, span, sampled, ...more] = sent.b3!.split('-')
    expect([trace, sampled, more]).toEqual([traceId, state, []])
    expect(span).toMatch(/^[0-9a-f]{16}$/)
    // The span of the receiver has an id of its own.
    expect(span).not.toBe(SPAN)
  })

  test.each([
    '',
    '0',
    'd',
    TRACE,
    `${TRACE}-`,
    `-${SPAN}-1`,
    `${TRACE}-${SPAN}-2`,
    `${TRACE}-${SPAN}-1-${PARENT}-1`,
    `${TRACE}x-${SPAN}-1`,
    `${TRACE.slice(1)}-${SPAN}-1`,
    `${TRACE}-${SPAN.slice(1)}-1`,
    `${'0'.repeat(32)}-${SPAN}-1`,
    `${TRACE}-${'0'.repeat(16)}-1`,
    `${TRACE.slice(0, 31)}g-${SPAN}-1`,
  ])('%j is no parent', b3 => {
    expect(tracerWith('b3').propagation.extract({ b3 }).span).toBeNull()
    expect(sentOn({ b3 }, 'b3').b3).not.toContain(TRACE)
  })
})

describe('B3 in several headers', () => {
  const ids = { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN }

  test.each([
    [{ ...ids, 'x-b3-sampled': '1' }, { 'x-b3-sampled': '1' }],
    [{ ...ids, 'x-b3-sampled': 'true' }, { 'x-b3-sampled': '1' }],
    [{ ...ids, 'x-b3-sampled': '0' }, { 'x-b3-sampled': '0' }],
    [{ ...ids, 'x-b3-sampled': 'False' }, { 'x-b3-sampled': '0' }],
    [ids, { 'x-b3-sampled': '0' }],
    [{ ...ids, 'x-b3-flags': '1' }, { 'x-b3-flags': '1' }],
    // Debug implies that the trace is sampled, whatever the other header says.
    [{ ...ids, 'x-b3-flags': '1', 'x-b3-sampled': '0' }, { 'x-b3-flags': '1' }],
    [{ ...ids, 'x-b3-flags': '0', 'x-b3-sampled': '1' }, { 'x-b3-sampled': '1' }],
    [{ ...ids, 'x-b3-parentspanid': PARENT, 'x-b3-sampled': '1' }, { 'x-b3-sampled': '1' }],
    [{ 'X-B3-TraceId': TRACE, 'X-B3-SpanId': SPAN, 'X-B3-Sampled': '1' }, { 'x-b3-sampled': '1' }],
  ])('%j goes on', (headers, decision) => {
    const { 'x-b3-traceid': trace, 'x-b3-spanid': span, ...rest } = sentOn(headers, 'b3multi')
    expect(trace).toBe(TRACE)
    expect(span).toMatch(/^[0-9a-f]{16}$/)
    expect(rest).toEqual(decision)
  })

  test.each([
    { 'x-b3-traceid': TRACE },
    { 'x-b3-spanid': SPAN },
    { ...ids, 'x-b3-sampled': 'yes' },
    { ...ids, 'x-b3-traceid': [TRACE, TRACE] },
    { ...ids, 'x-b3-spanid': SHORT.slice(1) },
    { 'x-b3-flags': '1' },
  ])('%j is no parent', headers => {
    expect(tracerWith('b3multi').propagation.extract(headers).span).toBeNull()
  })
})

describe('several kinds of headers', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const multi = { 'x-b3-traceid': SHORT, 'x-b3-spanid': SPAN, 'x-b3-sampled': '1' }
  const traceOf = (headers: Record<string, string>, ...names: PropagatorName[]) =>
    tracerWith(...names)
      .propagation.extract(headers)
      .span?.spanContext().traceId

  test('both forms of B3 are read, the single header first', () => {
    for (const name of ['b3', 'b3multi'] as const) {
      expect(traceOf({ b3: `${TRACE}-${SPAN}-1`, ...multi }, name)).toBe(TRACE)
      expect(traceOf({ b3: 'nonsense', ...multi }, name)).toBe(SHORT.padStart(32, '0'))
    }
  })

  test('the last valid one counts', () => {
    const both = { traceparent, b3: `${TRACE}-${SPAN}-1` }
    expect(traceOf(both, 'tracecontext', 'b3')).toBe(TRACE)
    expect(traceOf(both, 'b3', 'tracecontext')).toBe('a'.repeat(32))
    expect(traceOf({ ...both, b3: '0' }, 'tracecontext', 'b3')).toBe('a'.repeat(32))
    expect(traceOf({ ...both, traceparent: 'x' }, 'b3', 'tracecontext')).toBe(TRACE)
    expect(traceOf(both)).toBeUndefined()
  })

  test('all of them are written, and name the same span', () => {
    const sent = sentOn({ traceparent }, 'tracecontext', 'b3', 'b3multi', 'b3')
    const [, trace, span] = sent.traceparent!.split('-')
    expect(sent).toEqual({
      traceparent: `00-${trace}-${span}-01`,
      b3: `${trace}-${span}-1`,
      'x-b3-traceid': trace,
      'x-b3-spanid': span,
      'x-b3-sampled': '1',
    })
  })

  test('a debug flag does not show in what W3C has, nor in a span context', () => {
    const tracer = tracerWith('tracecontext', 'b3')
    const { span } = tracer.propagation.extract({ b3: `${TRACE}-${SPAN}-d` })
    expect(span!.spanContext().traceFlags).toBe(1)
    const sent = sentOn({ b3: `${TRACE}-${SPAN}-d` }, 'tracecontext', 'b3')
    expect(sent.traceparent).toMatch(/-01$/)
    expect(sent.b3).toMatch(/-d$/)
  })
})

test('headers of strangers never throw, and are a valid parent or none', () => {
  const part = fc.constantFrom(TRACE, SHORT, SPAN, TRACE.toUpperCase(), '0', '1', 'd', 'x', '', ' ')
  const parts = fc.array(part, { maxLength: 5 })
  const text = fc.oneof(
    parts.map(list => list.join('-')),
    part,
    parts,
    fc.string(),
  )
  const names = ['b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-sampled', 'x-b3-flags']
  const anyHeaders = fc.record(Object.fromEntries(names.map(name => [name, text])), {
    requiredKeys: [],
  })
  const tracer = tracerWith('b3', 'b3multi')
  fc.assert(
    fc.property(anyHeaders, headers => {
      const { span } = tracer.propagation.extract(headers)
      if (span === null) return
      const sent: Record<string, string> = {}
      tracer.propagation.inject(sent, span)
      expect(sent.b3).toMatch(/^[0-9a-f]{32}-[0-9a-f]{16}-[01d]$/)
      expect(tracer.propagation.extract({ b3: sent.b3! }).span!.spanContext()).toEqual(
        span.spanContext(),
      )
    }),
    { numRuns: runs(100) },
  )
})
