import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for one round. */
export async function scratch(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-tiers-'))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}
