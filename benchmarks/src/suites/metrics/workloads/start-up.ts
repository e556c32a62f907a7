import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Prepare } from '../../../define.ts'

const require = createRequire(import.meta.url)
const repository = fileURLToPath(new URL('../../../../../', import.meta.url))

/** Milliseconds to import a library in a fresh process, from its published files. */
export function startUp(specifier: string): Prepare<number> {
  return async () => {
    const file = specifier === '@millrace/perf-metrics' ? built() : require.resolve(specifier)
    const script = `
      const start = performance.now()
      const module = await import(${JSON.stringify(pathToFileURL(file).href)})
      console.log(performance.now() - start, Object.keys(module).length)`
    return {
      async measure() {
        let best = Infinity
        let names = 0
        for (let i = 0; i < 5; i++) {
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

/** What would be published, built first, as what is there may be old: sources pay for the removal of their types. */
function built(): string {
  const folder = `${repository}packages/perf-metrics`
  execFileSync(`${repository}node_modules/.bin/tsup`, { cwd: folder, stdio: 'ignore' })
  return `${folder}/dist/index.js`
}

export function checkStartUp(names: number): void {
  assert.ok(names > 5)
}
