import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { FsStore } from './fs/fs-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

/** Uses a store in a folder that this process may not read, as another user if it is the one who may read everything. */
const [kind, place] = process.argv.slice(2) as [string, string]
const open = () =>
  kind === 'sqlite'
    ? new SqliteStore<string>({ path: join(place, 'cache.db') })
    : new FsStore<string>({ folder: join(place, 'cache') })
const store = open()
await store.set('kept', 'value')
await store.close()

const outcomes: unknown[] = []
const mayReadAll = process.getuid!() === 0
chmodSync(place, 0)
if (mayReadAll) process.seteuid!(65_534)
try {
  open()
  outcomes.push('opened')
} catch (error) {
  outcomes.push((error as { code?: unknown }).code)
}
if (mayReadAll) process.seteuid!(0)
chmodSync(place, 0o700)
const again = open()
outcomes.push((await again.get('kept'))?.value)
await again.close()
console.log(JSON.stringify(outcomes))
