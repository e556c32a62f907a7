import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import type { Store } from '@millrace/cache-core/store'
import type { SourceRecord } from '../analyse/source-record.ts'
import type { DemoOptions } from '../options.ts'
import type { RegistryAnswer } from '../registry/package-document.ts'
import type { RunSummary } from '../report/run-summary.ts'

/** Where a run keeps what outlives it. */
export interface Storage extends AsyncDisposable {
  readonly sources: Store<SourceRecord>
  readonly packages: Store<RegistryAnswer>
  readonly runs: Store<RunSummary>
}

/** Opens the caches that the options name. */
export async function openStorage(
  { cacheDirectory }: DemoOptions,
  notice: (line: string) => void,
): Promise<Storage> {
  return openSqlite(cacheDirectory, notice)
}

/** Opens the caches in a folder. A damaged one begins anew, one that cannot be opened is in memory; both with a notice. */
function openSqlite(folder: string, notice: (line: string) => void): Storage {
  try {
    mkdirSync(folder, { recursive: true })
    const open = <V>(name: string) =>
      new SqliteStore<V>({
        path: join(folder, `${name}.db`),
        compression: true,
        onProblem: ({ path, movedTo }) =>
          notice(`Cache ${path} is damaged: kept as ${movedTo ?? 'another file'}, began a new one`),
      })
    return storage(open('sources'), open('packages'), open('runs'))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    notice(`Cannot keep caches in ${folder} (${message}): this run caches in memory only`)
    return storage(new MemoryStore(), new MemoryStore(), new MemoryStore())
  }
}

function storage(
  sources: Store<SourceRecord>,
  packages: Store<RegistryAnswer>,
  runs: Store<RunSummary>,
): Storage {
  return {
    sources,
    packages,
    runs,
    async [Symbol.asyncDispose]() {
      await Promise.all([sources.close(), packages.close(), runs.close()])
    },
  }
}
