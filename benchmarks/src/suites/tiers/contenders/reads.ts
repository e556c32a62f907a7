import { join } from 'node:path'
import type { Prepare } from '../../../define.ts'
import { scratch } from './scratch.ts'

/** Something that values can be read from by key. */
interface Reads {
  readonly read: (key: string) => unknown
  readonly close: () => unknown
}

const keys = Array.from({ length: 1_000 }, (_, index) => `user:profile:${index}`)
const small = { name: 'x'.repeat(180) }
const large = { name: 'x'.repeat(4_000) }

/** One operation is one read of a value that is there. How many of the last round were found. */
export function storeReads(open: (folder: string) => Promise<Reads>): Prepare<number> {
  return async ({ quick }) => {
    const { folder, remove } = await scratch()
    const { read, close } = await open(folder)
    const rounds = quick ? 2 : 5
    return {
      operations: rounds * keys.length,
      async run() {
        let found = 0
        for (let round = 0; round < rounds; round++) {
          found = 0
          for (const key of keys) if ((await read(key)) !== undefined) found++
        }
        return found
      },
      async close() {
        await close()
        await remove()
      },
    }
  }
}

export async function sqliteStore(folder: string): Promise<Reads> {
  const { SqliteStore } = await import('@millrace/cache-core/sqlite')
  const store = new SqliteStore<typeof small>({ path: join(folder, 'cache.db') })
  await store.setMany(keys.map(key => ({ key, value: small })))
  return { read: key => store.get(key), close: () => store.close() }
}

/** What any cache on SQLite has to do: the row of a key, and the value of its bytes. */
export async function preparedStatement(folder: string): Promise<Reads> {
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(join(folder, 'bare.db'))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  database.exec('CREATE TABLE entries (key TEXT PRIMARY KEY, expires REAL, value BLOB) STRICT')
  const put = database.prepare('INSERT INTO entries VALUES (?, ?, ?)')
  for (const key of keys) put.run(key, Date.now() + 1e9, Buffer.from(JSON.stringify(small)))
  const get = database.prepare('SELECT value FROM entries WHERE key = ? AND expires > ?')
  return {
    read: key => {
      const { value } = get.get(key, Date.now()) as { value: Uint8Array }
      return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString())
    },
    close: () => database.close(),
  }
}

export async function fsStore(folder: string): Promise<Reads> {
  const { FsStore } = await import('@millrace/cache-core/fs')
  const store = new FsStore<typeof large>({ folder: join(folder, 'cache') })
  await store.setMany(keys.map(key => ({ key, value: large })))
  return { read: key => store.get(key), close: () => store.close() }
}

/** What any cache in files has to do: the bytes of the key's file, and the value of its bytes. */
export async function fsSync(folder: string): Promise<Reads> {
  const { readFileSync, writeFileSync } = await import('node:fs')
  for (const key of keys) writeFileSync(join(folder, key), JSON.stringify(large))
  return {
    read: key => JSON.parse(readFileSync(`${folder}/${key}`, 'utf8')),
    close: () => undefined,
  }
}
