import { cpSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'

const specifier = /(['"])@millrace\/kit\1/g

/**
 * Gives the package in the working directory its own copy of the kit's declarations, in `dist/kit/`, and points its declarations
 * there: the kit is bundled and never published, so no `.d.ts` may name it. Runs after tsup and tsc in each package's `build`.
 */
function main(dist: string): void {
  const kit = resolve(import.meta.dirname, '../packages/kit/dist')
  if (!existsSync(join(kit, 'index.d.ts'))) {
    throw new Error(`${kit} holds no declarations: build the kit first (turbo does)`)
  }
  let used = false
  for (const file of globSync('**/*.d.ts', { cwd: dist })) {
    const path = join(dist, file)
    const text = readFileSync(path, 'utf8')
    const rewritten = text.replace(specifier, `'${toKit(dist, path)}'`)
    if (rewritten === text) continue
    used = true
    writeFileSync(path, rewritten)
  }
  if (used) cpSync(kit, join(dist, 'kit'), { recursive: true })
}

function toKit(dist: string, path: string): string {
  const target = relative(dirname(path), join(dist, 'kit', 'index.js'))
    .split(sep)
    .join('/')
  return target.startsWith('.') ? target : `./${target}`
}

main(resolve('dist'))
