import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Store } from './contract/store.ts'

/**
 * A process that stands still in the middle of a call on its store: for each number that it reads, before so many system calls and
 * statements of `verb`. It says `stopped` before that, and what came of the call once it is over.
 */
const [kind, place, verb] = process.argv.slice(2) as [string, string, string]

let left = Infinity
const { writeSync } = fs
function counted(host: object, names: readonly string[]): void {
  for (const name of names) {
    const method = Reflect.get(host, name) as (...args: unknown[]) => unknown
    Reflect.set(host, name, function (this: unknown, ...args: unknown[]) {
      if (--left === 0) {
        writeSync(1, 'stopped\n')
        process.kill(process.pid, 'SIGSTOP')
      }
      return method.apply(this, args)
    })
  }
}
counted(
  fs,
  Object.keys(fs).filter(name => name.endsWith('Sync')),
)
syncBuiltinESMExports()
counted(DatabaseSync.prototype, ['exec', 'prepare', 'close'])
counted(StatementSync.prototype, ['get', 'all', 'run'])

const { FsStore } = await import('./fs/fs-store.ts')
const { SqliteStore } = await import('./sqlite/sqlite-store.ts')
const open = (): Store<string> & { sweep(): void } =>
  kind === 'sqlite'
    ? new SqliteStore({ path: join(place, 'cache.db'), busyTimeout: 5_000, onProblem() {} })
    : new FsStore({ folder: join(place, 'cache') })

let store = open()
for await (const line of createInterface({ input: process.stdin })) {
  const fence = await store.fence()
  const calls: Record<string, () => unknown> = {
    get: async () => (await store.get('k'))?.value ?? null,
    set: () => store.set('k', 'late', { tags: ['t'], fence }),
    setMany: () => store.setMany([{ key: 'k', value: 'late', tags: ['t'], fence }]),
    delete: () => store.delete('other'),
    deleteTag: () => store.deleteTag('other'),
    clear: () => store.clear(),
    sweep: async () => store.sweep(),
    open: async () => {
      store = open()
    },
    close: () => store.close(),
  }
  if (verb === 'open') await store.close()
  left = Number(line)
  let answer: unknown
  try {
    answer = (await calls[verb]!()) ?? null
  } catch (error) {
    answer = String(error)
  }
  left = Infinity
  if (verb === 'close') store = open()
  writeSync(1, `${JSON.stringify(answer)}\n`)
}
