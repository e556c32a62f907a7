import { expect, test } from 'vitest'
import { memoryTracer } from '../tracer/memory-tracer.fixture.ts'
import { extract } from './carrier.ts'
import { RemoteParent } from './remote-parent.ts'

test('a remote parent of another copy of this package is one', async () => {
  const file = './remote-parent.ts?copy'
  const copy: typeof import('./remote-parent.ts') = await import(file)
  expect(copy.RemoteParent).not.toBe(RemoteParent)
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, baggage: 'tenant=a' }
  const { span, baggage } = extract(headers)
  const { tracer, spans } = memoryTracer()
  const sent: Record<string, string> = {}
  tracer.span('server', { parent: new copy.RemoteParent(span, baggage) }, () => {
    tracer.propagation.inject(sent)
  })
  expect(await spans()).toMatchObject({ server: { traceId, parentSpanId: 'b7ad6b7169203331' } })
  expect(sent).toMatchObject({ baggage: 'tenant=a' })
})
