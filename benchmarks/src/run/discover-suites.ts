import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Suite } from '../define.ts'

export const suitesFolder: URL = new URL('../suites/', import.meta.url)

/** The names of all suites, in alphabetical order: the folders that hold a `suite.ts`. */
export function discoverSuites(folder: URL = suitesFolder): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && existsSync(new URL(`${entry.name}/suite.ts`, folder)))
    .map(entry => entry.name)
    .sort()
}

/** @throws {Error} naming the suites there are, when there is none of that name */
export async function loadSuite(name: string, folder: URL = suitesFolder): Promise<Suite> {
  const names = discoverSuites(folder)
  if (!names.includes(name)) {
    throw new Error(`There is no suite ${JSON.stringify(name)}; there are: ${names.join(', ')}`)
  }
  const file = fileURLToPath(new URL(`${name}/suite.ts`, folder))
  const module = (await import(pathToFileURL(file).href)) as { default?: Suite }
  if (module.default?.name !== name) {
    throw new Error(`${file} must export by default a suite named ${JSON.stringify(name)}`)
  }
  return module.default
}
