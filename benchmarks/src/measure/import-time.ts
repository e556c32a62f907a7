import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Prepare } from '../define.ts'

const repository = fileURLToPath(new URL('../../../', import.meta.url))

/** Processes of a round, of which the quickest counts: another program at work doubles and trebles the time. */
const STARTS = 15

/** Milliseconds to import files one after another in a fresh process. The result is how many names they export. */
export function importTime(filesOf: () => readonly string[]): Prepare<number> {
  return async () => {
    const files = filesOf().map(file => JSON.stringify(pathToFileURL(file).href))
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

/** Published files of a package of ours, built first: sources pay for the removal of their types. */
export function built(short: string, ...entries: readonly string[]): readonly string[] {
  const folder = `${repository}packages/${short}`
  execFileSync(`${repository}node_modules/.bin/tsup`, { cwd: folder, stdio: 'ignore' })
  return entries.map(entry => `${folder}/dist/${entry}.js`)
}

/** What `import` of a library's name reads. */
export function installed(...libraries: readonly string[]): readonly string[] {
  return libraries.map(name => fileURLToPath(import.meta.resolve(name)))
}

/** Checks that at least as many names were exported. */
export function checkImport(least: number): (names: number) => void {
  return names => assert.ok(names >= least, `${names} names`)
}
