import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder] = process.argv.slice(2) as [string]
const load = (file: string): Promise<object> => import(pathToFileURL(join(folder, file)).href)

/** `node run-bundles.ts FOLDER`: loads every bundle; those of entries export what the entries do, those of programs run to their end. */
const names = JSON.parse(readFileSync(join(folder, 'names.json'), 'utf8')) as string[][]
for (const [index, expected] of names.entries()) {
  const exported = Object.keys(await load(`entry-${index}.mjs`)).toSorted()
  if (expected.length === 0 || exported.join() !== expected.toSorted().join()) {
    throw new Error(`entry-${index}.mjs exports ${exported}; expected ${expected}`)
  }
}
const programs = globSync('use-*.mjs', { cwd: folder })
if (programs.length === 0) throw new Error('nothing uses a bundle')
for (const file of programs) {
  try {
    await load(file)
  } catch (error) {
    throw new Error(`${file} failed`, { cause: error })
  }
}
