import { expect, test } from 'vitest'
import { extract } from '../../propagation/carrier.ts'
import { IdSource } from '../ids/id-source.ts'
import { IdleSpan } from './idle-span.ts'

test.each([
  ['trace first', (span: IdleSpan) => [span.trace().traceId, span.spanContext().spanId]],
  ['span first', (span: IdleSpan) => [span.spanContext().spanId, span.trace().traceId].reverse()],
])('ids are made when they are asked for, and stay: %s', (_, ask) => {
  const [one, other] = [new IdleSpan(0), new IdleSpan(0)]
  const asked = ask(one)
  expect(ask(one)).toEqual(asked)
  expect(one.spanContext()).toEqual({ traceId: asked[0], spanId: asked[1], traceFlags: 2 })
  expect(asked[0]).toMatch(/^[0-9a-f]{32}$/)
  expect(asked[1]).toMatch(/^[0-9a-f]{16}$/)
  const [traceId, spanId] = ask(other)
  expect(traceId).not.toBe(asked[0])
  expect(spanId).not.toBe(asked[1])
})

test('a decided root has the trace id that it was decided by', () => {
  const ids = IdSource.shared()
  const serial = ids.next()
  const { c, d } = new IdleSpan(serial).trace()
  expect([c, d]).toEqual([ids.traceWord(serial, 2), ids.traceWord(serial, 3)])
})

test('a child has the trace of its parent, and a span id of its own', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`
  const trace = (extract({ traceparent }).span as unknown as IdleSpan).trace()
  const [one, other] = [new IdleSpan(trace), new IdleSpan(trace)]
  expect(one.trace()).toBe(trace)
  expect(one.spanContext().spanId).not.toBe(other.spanContext().spanId)
  expect(one.trace()).toBe(trace)
})
