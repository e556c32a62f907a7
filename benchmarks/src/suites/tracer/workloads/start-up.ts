import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Prepare } from '../../../define.ts'

const require = createRequire(import.meta.url)
const repository = fileURLToPath(new URL('../../../../../', import.meta.url))
const packageFolder = `${repository}packages/tracer`

/** Processes of a round, of which the quickest counts: another program at work doubles and trebles the time. */
const STARTS = 15

/** Milliseconds to import libraries in a fresh process, from their published files. */
export function startUp(load: () => readonly string[]): Prepare<number> {
  return async () => {
    const files = load().map(file => JSON.stringify(pathToFileURL(file).href))
    const script = `
      const start = performance.now()
      const modules = [${files.map(file => `await import(${file})`).join(', ')}]
      console.log(performance.now() - start, modules.flatMap(Object.keys).length)`
    return {
      async measure() {
        let best = Infinity
        let names = 0
        for (let i = 0; i < STARTS; i++) {
          const output = execFileSync(process.execPath, ['--input-type=module', '-e', script])
          const [time, exported] = output.toString().split(' ').map(Number)
          best = Math.min(best, time!)
          names = exported!
        }
        return { value: best, result: names }
      },
    }
  }
}

/** What would be published, built first: sources pay for the removal of their types. */
export function published(): readonly string[] {
  execFileSync(`${repository}node_modules/.bin/tsup`, { cwd: packageFolder, stdio: 'ignore' })
  return [`${packageFolder}/dist/index.js`, `${packageFolder}/dist/otlp.js`]
}

/** The main entry alone, of what does not export by itself. */
export function publishedMain(): readonly string[] {
  return published().slice(0, 1)
}

/**
 * The published files with nothing in them but what they import: the time that Node's loader takes for them, which is the least that any
 * library of so many files takes.
 */
export function emptied(): readonly string[] {
  const entries = published()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-emptied-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const file of readdirSync(`${packageFolder}/dist`).filter(name => name.endsWith('.js'))) {
    const source = readFileSync(`${packageFolder}/dist/${file}`, 'utf8')
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
  return [
    '@opentelemetry/api',
    '@opentelemetry/sdk-trace',
    '@opentelemetry/context-async-hooks',
    '@opentelemetry/exporter-trace-otlp-proto',
  ].map(name => require.resolve(name))
}

export function checkStartUp(names: number): void {
  assert.ok(names > 10)
}
