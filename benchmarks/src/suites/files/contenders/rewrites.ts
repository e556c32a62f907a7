import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Measurement, Prepare } from '../../../define.ts'

/** Rewrites of one file in a row, each of the same size. */
export const rewrites = 500

/** What a library is asked after each rewrite: does it see one? */
type Sees = (path: string) => boolean

function afterEachRewrite(open: (folder: string) => Promise<Sees>): Prepare<number> {
  return async (): Promise<Measurement<number>> => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-rewrites-'))
    const path = join(folder, 'file')
    const write = (index: number) => writeFileSync(path, `${1_000 + index}`)
    write(0)
    const sees = await open(folder)
    sees(path)
    return {
      measure() {
        let seen = 0
        for (let index = 1; index <= rewrites; index++) {
          write(index)
          if (sees(path)) seen++
        }
        return { value: seen, result: seen }
      },
      close: () => rmSync(folder, { recursive: true }),
    }
  }
}

export const fileTable: Prepare<number> = afterEachRewrite(async root => {
  const { FileTable } = await import('@millrace/cache-files')
  const files = new FileTable({ root })
  let last: string | undefined
  return path => {
    const hash = files.hashSync(path)
    const changed = hash !== last
    last = hash
    return changed
  }
})

export const fileEntryCache: Prepare<number> = afterEachRewrite(async folder => {
  const { create } = await import('file-entry-cache')
  const cache = create('bench', folder)
  return path => {
    const { changed } = cache.getFileDescriptor(path)
    cache.reconcile()
    return changed === true
  }
})
