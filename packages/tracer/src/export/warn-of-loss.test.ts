import { tmpdir } from 'node:os'
import { nextWarning } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { FileExporter } from '../otlp/file-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'
import { SpanExportError } from './span-export-error.ts'
import { lossOf, warnOfLoss } from './warn-of-loss.ts'

type CodedError = Error & { code?: string }

/** Of this file: exporters of others, in the same process, may still lose spans. */
const isLoss = ({ code, message }: Partial<CodedError>) =>
  code === 'MILLRACE_TRACER_EXPORT' && /^(Could not write|last;)/.test(message ?? '')

test('a warning quotes no collector, and there is none where nothing was lost', () => {
  const refused = new SpanExportError('Collector refused spans: secret', { status: 200, spans: 2 })
  expect(lossOf(refused)).toBe('Collector refused spans; spans are lost, see tracer.stats()')
  expect(lossOf(new SpanExportError('Collector warns: secret', { spans: 0 }))).toBeUndefined()
  expect(lossOf(new SpanExportError('Collector answered 503', { status: 503, spans: 1 }))).toBe(
    'Collector answered 503; spans are lost, see tracer.stats()',
  )
})

test('the process is warned once by each exporter that nobody listens to', async () => {
  const first = nextWarning<CodedError>(isLoss)
  const warnings: string[] = []
  const listen = (warning: CodedError): void => {
    if (isLoss(warning)) warnings.push(warning.message)
  }
  process.on('warning', listen)
  // A folder cannot be appended to.
  const tracer = new Tracer({ exporter: new FileExporter({ path: tmpdir() }), signals: [] })
  for (let i = 0; i < 3; i++) {
    tracer.startSpan('a').end()
    await tracer.flush()
  }
  await first
  const another = nextWarning<CodedError>(isLoss)
  warnOfLoss()(new SpanExportError('last', { spans: 1 }))
  await another
  process.off('warning', listen)
  await tracer.close()
  expect(warnings).toEqual([
    'Could not write spans to the file; spans are lost, see tracer.stats()',
    'last; spans are lost, see tracer.stats()',
  ])
})
