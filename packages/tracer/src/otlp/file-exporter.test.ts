import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { SpanExportError } from '../export/span-export-error.ts'
import { Tracer } from '../tracer/tracer.ts'
import { FileExporter } from './file-exporter.ts'

test('the file exporter appends a request per line, and the rest at exit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tracer-'))
  try {
    const path = join(folder, 'traces.jsonl')
    const tracer = new Tracer({ exporter: new FileExporter({ path }), signals: [] })
    for (let i = 0; i < 1_000; i++) tracer.startSpan(`s${i}`).end()
    await tracer.flush()
    tracer.startSpan('last').end()
    tracer.flushSync()
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    const names = lines.flatMap(line =>
      JSON.parse(line).resourceSpans[0].scopeSpans[0].spans.map(
        (span: { name: string }) => span.name,
      ),
    )
    expect(names).toHaveLength(1_001)
    expect(new Set(names).size).toBe(1_001)
    expect(tracer.stats()).toMatchObject({ exported: 1_001, dropped: 0, queued: 0 })

    const errors: SpanExportError[] = []
    const broken = new Tracer({
      exporter: new FileExporter({ path: folder, onError: error => errors.push(error) }),
      signals: [],
    })
    broken.startSpan('a').end()
    await broken.flush()
    expect(broken.stats()).toMatchObject({ exported: 0, dropped: 1 })
    expect(errors).toMatchObject([{ spans: 1, cause: { code: 'EISDIR' } }])
  } finally {
    await rm(folder, { recursive: true })
  }
})
