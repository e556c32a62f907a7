import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { FsStore } from './fs/fs-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

/** One of several threads that write, delete and tag in the same place. Tells how often it read something else than it should. */
const [kind, place, name, rounds] = process.argv.slice(2) as [string, string, string, string]
const store =
  kind === 'sqlite'
    ? new SqliteStore<string>({ path: join(place, 'cache.db') })
    : new FsStore<string>({ folder: join(place, 'cache') })
let faults = 0
for (let i = 0; i < Number(rounds); i++) {
  await store.set(`${name}:own`, `${i}`, { tags: [name] })
  if ((await store.get(`${name}:own`))?.value !== `${i}`) faults++
  const fence = await store.fence()
  await (i % 2 === 0 ? store.deleteTag(name) : store.delete(`${name}:own`))
  if ((await store.get(`${name}:own`)) !== undefined) faults++
  if (await store.set(`${name}:own`, 'late', { fence, tags: [name] })) faults++
  await store.set('shared', `${name} ${i}`)
}
await store.set(`${name}:kept`, name)
await store.close()
parentPort!.postMessage(faults)
