import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Manifest, readManifests } from '../analyse/manifests.ts'
import { walk } from '../analyse/source-tree.ts'

const installed = fileURLToPath(new URL('../../../../node_modules', import.meta.url))

/** What the embedded registry knows: the packages of the analysed tree and those installed in this workspace. */
export class InstalledManifests {
  /** Those of the analysed tree, once it is listed. */
  found: readonly Manifest[] = []

  readonly read = async (): Promise<Manifest[]> => {
    const { manifests } = await walk(installed)
    const paths = manifests.filter(path => path !== join(installed, 'package.json'))
    return [...this.found, ...(await readManifests(paths)).values()]
  }
}
