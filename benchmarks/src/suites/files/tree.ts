import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fixture } from '../../define.ts'

/** Files of the tree. */
export const count = 10_000
const perFolder = 100

/** Path of each file below the root. */
export function paths(root: string): string[] {
  return Array.from({ length: count }, (_, index) =>
    join(root, `folder-${Math.floor(index / perFolder)}`, `file-${index}.js`),
  )
}

/**
 * 10,000 files of 4 kB, no two alike. It comes back only once they are old enough for their times to prove that they are
 * unchanged, which a tree that is not being written always is.
 */
export async function sourceTree(): Promise<Fixture> {
  const root = mkdtempSync(join(tmpdir(), 'millrace-bench-files-'))
  for (let folder = 0; folder < count / perFolder; folder++)
    mkdirSync(join(root, `folder-${folder}`))
  for (const [index, path] of paths(root).entries()) {
    writeFileSync(path, `export const n = ${index}\n`.padEnd(4_096, '/'))
  }
  await sleep(2_100)
  return { value: root, close: () => rmSync(root, { recursive: true }) }
}
