import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FsStore } from './fs/fs-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

const [kind, place, job] = process.argv.slice(2) as [string, string, string]
const store =
  kind === 'sqlite'
    ? new SqliteStore<string>({ path: join(place, 'cache.db') })
    : new FsStore<string>({ folder: join(place, 'cache') })
process.send!('ready')

const jobs: Record<string, (round: number) => Promise<unknown>> = {
  clear: () => store.clear(),
  sweep: async () => store.sweep(),
  write: round =>
    store.set(`k${round % 20}`, String.fromCharCode(97 + (round % 26)).repeat(20_000)),
}
for (let round = 0; process.connected; round++) {
  await jobs[job]!(round)
  await nextTurn()
}
await store.close()
