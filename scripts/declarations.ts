import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { run } from './run.ts'

const specifier = /(['"])@millrace\/kit\1/g

/**
 * Emits the declarations of the package in the working directory, then gives it a copy of the kit's in `dist/kit/` and points
 * imports there: the kit is bundled and never published, so no `.d.ts` may name it.
 */
async function main(dist: string): Promise<number> {
  for (const old of globSync('**/*.d.ts{,.map}', { cwd: dist })) rmSync(join(dist, old))
  if (!(await run('tsc', ['-p', 'tsconfig.build.json']))) return 1
  let used = false
  for (const file of globSync('**/*.d.ts', { cwd: dist })) {
    const path = join(dist, file)
    const text = readFileSync(path, 'utf8')
    const rewritten = text.replace(specifier, `'${toKit(dist, path)}'`)
    if (rewritten === text) continue
    used = true
    writeFileSync(path, rewritten)
  }
  if (used) cpSync(resolve('../kit/dist'), join(dist, 'kit'), { recursive: true })
  return 0
}

function toKit(dist: string, path: string): string {
  const target = relative(dirname(path), join(dist, 'kit', 'index.js'))
    .split(sep)
    .join('/')
  return target.startsWith('.') ? target : `./${target}`
}

process.exitCode = await main(resolve('dist'))
