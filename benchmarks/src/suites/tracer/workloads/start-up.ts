import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { built, installed } from '../../../measure/import-time.ts'

/** Tracer and exporter. */
export function published(): readonly string[] {
  return built('tracer', 'index', 'otlp')
}

/**
 * The published files with nothing in them but what they import: the time that Node's loader takes for them, which is the least that any
 * library of so many files takes.
 */
export function emptied(): readonly string[] {
  const entries = published()
  const dist = dirname(entries[0]!)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-emptied-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const file of readdirSync(dist).filter(name => name.endsWith('.js'))) {
    const source = readFileSync(join(dist, file), 'utf8')
    const imports = [
      ...source.matchAll(/^(?:import|export)\b[^;]*?\bfrom (['"][^'"]+['"]);/gm),
    ].map(([, module]) => `import ${module}`)
    const isEntry = entries.some(entry => basename(entry) === file)
    assert.ok(imports.length > 0 || !isEntry, `${file} imports nothing`)
    const names = 'export const a = 0, b = 0, c = 0, d = 0, e = 0, f = 0'
    writeFileSync(join(folder, file), [...imports, names].join('\n'))
  }
  return entries.map(entry => join(folder, basename(entry)))
}

/** What a program needs for the same: API, SDK, context manager, OTLP exporter. */
export function openTelemetryFiles(): readonly string[] {
  return installed(
    '@opentelemetry/api',
    '@opentelemetry/sdk-trace',
    '@opentelemetry/context-async-hooks',
    '@opentelemetry/exporter-trace-otlp-proto',
  )
}
