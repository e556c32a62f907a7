import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Prepare } from '../../../define.ts'
import { scratch } from './scratch.ts'

type Rows = { id: number; name: string }[]
type Read = (path: string) => Rows

/** One operation is one call for one of 10 files. Rows of the last one. */
export function calls(wrap: (read: Read) => Promise<Read>): Prepare<number> {
  return async ({ quick }) => {
    const { folder, remove } = await scratch()
    const paths = Array.from({ length: 10 }, (_, index) => join(folder, `${index}.json`))
    const rows = Array.from({ length: 500 }, (_, id) => ({ id, name: `row ${id} `.repeat(8) }))
    for (const path of paths) writeFileSync(path, JSON.stringify(rows))
    const read = await wrap(path => JSON.parse(readFileSync(path, 'utf8')) as Rows)
    const rounds = quick ? 100 : 200
    return {
      operations: rounds * paths.length,
      run() {
        let last = 0
        for (let round = 0; round < rounds; round++) {
          for (const path of paths) last = read(path).length
        }
        return last
      },
      close: remove,
    }
  }
}

export async function parsedFile(read: Read): Promise<Read> {
  const { memoize } = await import('@millrace/cache-core')
  return memoize(read, { maxEntries: 1_000 })
}

export async function uncached(read: Read): Promise<Read> {
  return read
}
