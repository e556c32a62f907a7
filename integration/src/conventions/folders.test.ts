import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const packages = join(import.meta.dirname, '../../../packages')

/** Folders as layers: one that contains another may import from it and the other way round, tests know everything. */
const sources = globSync('*/src/**/*.ts', { cwd: packages }).filter(
  file => !/\.(test|fixture)\.ts$/.test(file),
)

/** By folder: those that it imports from, each with one of the imports. Those of types count. */
const imports = new Map<string, Map<string, string>>()
for (const file of sources) {
  const text = readFileSync(join(packages, file), 'utf8')
  for (const [, to] of text.matchAll(/(?:from|import) '(\.{1,2}\/[^']+)'/g)) {
    const [from, into] = [dirname(file), dirname(join(dirname(file), to!))]
    if (`${from}/`.startsWith(`${into}/`) || `${into}/`.startsWith(`${from}/`)) continue
    const found = imports.get(from) ?? new Map<string, string>()
    imports.set(from, found.set(into, `${file} -> ${to}`))
  }
}

/** The shortest way from a folder back to it, as the imports that it is made of. */
function wayBack(start: string): string[] | undefined {
  const ways = new Map<string, string[]>([[start, []]])
  for (const [folder, way] of ways) {
    for (const [into, through] of imports.get(folder) ?? []) {
      if (into === start) return [...way, through]
      // What is added while a map is gone through is visited as well.
      if (!ways.has(into)) ways.set(into, [...way, through])
    }
  }
  return undefined
}

test('folders of a package import one way, over any number of steps', () => {
  expect(imports.size).toBeGreaterThan(50)
  const circles = [...imports.keys()].map(wayBack).filter(way => way !== undefined)
  expect(circles).toEqual([])
})
