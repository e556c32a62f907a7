import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const packages = join(import.meta.dirname, '../../../packages')

/** Folders as layers: one that contains another may import from it and the other way round, tests know everything. */
const sources = globSync('*/src/**/*.ts', { cwd: packages }).filter(
  file => !/\.(test|fixture)\.ts$/.test(file),
)

/** By two folders, of which the first imports from the second: the imports. Those of types count. */
const imports = new Map<string, string[]>()
for (const file of sources) {
  const text = readFileSync(join(packages, file), 'utf8')
  for (const [, to] of text.matchAll(/(?:from|import) '(\.{1,2}\/[^']+)'/g)) {
    const [from, into] = [dirname(file), dirname(join(dirname(file), to!))]
    if (`${from}/`.startsWith(`${into}/`) || `${into}/`.startsWith(`${from}/`)) continue
    const pair = `${from} ${into}`
    imports.set(pair, [...(imports.get(pair) ?? []), `${file} -> ${to}`])
  }
}

test('folders of a package import one way', () => {
  expect(imports.size).toBeGreaterThan(100)
  const mutual = [...imports].filter(([pair]) => {
    const [from, into] = pair.split(' ') as [string, string]
    return imports.has(`${into} ${from}`)
  })
  expect(mutual).toEqual([])
})
