import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from './contract/store.ts'
import { FsStore } from './fs/fs-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

const run = promisify(execFile)

const kinds: Record<string, (place: string) => Store<string>> = {
  sqlite: path => new SqliteStore({ path }),
  fs: folder => new FsStore({ folder }),
}
const places: Record<string, (folder: string) => string> = {
  'has a file for a folder': folder => {
    writeFileSync(join(folder, 'file'), '')
    return join(folder, 'file', 'cache')
  },
  'has a name that is too long': folder => join(folder, 'x'.repeat(300)),
  'is a link to itself': folder => {
    symlinkSync('loop', join(folder, 'loop'))
    return join(folder, 'loop')
  },
  'lies behind a link to itself': folder => {
    symlinkSync('loop', join(folder, 'loop'))
    return join(folder, 'loop', 'cache')
  },
  'lies where nothing can be made, whoever asks': () => '/proc/millrace/cache',
}

describe.each(Object.entries(kinds))('a %s store', (kind, open) => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-unusable-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  test.each(Object.entries(places))('whose place %s is a typed error when it is made', (__, at) => {
    const place = at(folder)
    expect(() => open(place)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_STORE_UNAVAILABLE', path: place }),
    )
  })

  test('in a folder that may not be read is a typed error when it is made, and loses nothing', async () => {
    const script = join(import.meta.dirname, 'unreadable-place.fixture.ts')
    const { stdout } = await run(process.execPath, [
      '--conditions=millrace-source',
      script,
      kind,
      folder,
    ])
    expect(JSON.parse(stdout)).toEqual(['ERR_MILLRACE_STORE_UNAVAILABLE', 'value'])
  })
})
