import { expect, test } from 'vitest'
import { SpanKind, StatusCode } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import { ConsoleExporter } from './console-exporter.ts'

test('a span is one line with all that a developer looks for, whatever its values hold', async () => {
  const lines: string[] = []
  const exporter = new ConsoleExporter({ print: line => lines.push(line) })
  await using tracer = new Tracer({ exporter, signals: [] })
  const parent = tracer.startSpan('outer')
  const span = tracer.startSpan('inner', { kind: SpanKind.CLIENT, parent })
  span.setAttributes({ text: 'two\nlines', big: 12n, list: [1, null] })
  span.addEvent('retried').setStatus({ code: StatusCode.ERROR, message: 'gone' })
  span.end()
  parent.end()
  await tracer.flush()

  const { traceId, spanId } = span.spanContext()
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z \d+\.\d{3}ms inner kind=client /)
  expect(lines[0]).toContain(
    `trace=${traceId} span=${spanId} parent=${parent.spanContext().spanId} error=gone text="two\\nlines" big=`,
  )
  expect(lines[0]).toMatch(/ list=\[1,null\] event=retried$/)
  expect(lines[1]).not.toContain('parent=')
  expect(lines.join('')).not.toContain('\n')
  expect(exporter.stats()).toEqual({ exported: 2, dropped: 0, queued: 0, queuedBytes: 0 })
})
