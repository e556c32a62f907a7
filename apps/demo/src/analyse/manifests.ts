import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The parts of a package.json that the registry and the report use. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly description?: string
  readonly license?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/**
 * Reads package.json files.
 *
 * @returns manifests by folder; files that are no manifest of a named package (nested `{"type":"module"}` files, broken JSON,
 *   templates) are left out
 */
export async function readManifests(files: readonly string[]): Promise<Map<string, Manifest>> {
  const found = new Map<string, Manifest>()
  for (let at = 0; at < files.length; at += 64) {
    const batch = files.slice(at, at + 64)
    const manifests = await Promise.all(batch.map(readManifest))
    manifests.forEach((manifest, index) => {
      if (manifest) found.set(dirname(batch[index]!), manifest)
    })
  }
  return found
}

async function readManifest(file: string): Promise<Manifest | undefined> {
  try {
    return toManifest(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    // Test fixtures inside packages hold broken package.json files on purpose; a file may also vanish during the walk.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code !== undefined) {
      return undefined
    }
    throw error
  }
}

function toManifest(json: unknown): Manifest | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const { name, version, description, license, dependencies } = json as Record<string, unknown>
  if (typeof name !== 'string' || name === '') return undefined
  return {
    name,
    version: typeof version === 'string' ? version : '0.0.0',
    ...(typeof description === 'string' && { description }),
    ...(typeof license === 'string' && { license }),
    ...(isRecord(dependencies) && { dependencies }),
  }
}

function isRecord(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
