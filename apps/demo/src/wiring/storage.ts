import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { type SqliteProblem, SqliteStore } from '@millrace/cache-core/sqlite'
import type { Store } from '@millrace/cache-core/store'
import type { TraceRecord } from '@millrace/cache-files'
import type { RedisBus } from '@millrace/cache-redis'
import type { DemoOptions } from '../options.ts'
import type { RegistryAnswer } from '../registry/package-document.ts'
import { counted } from '../report/counted.ts'
import type { RunSummary } from '../report/run-summary.ts'
import { explainRedis } from './explain-redis.ts'
import { followServer } from './follow-server.ts'
import { type CacheStore, ForgivingStore } from './forgiving-store.ts'
import { HeardBus } from './heard-bus.ts'

/** Where a run keeps what outlives it. */
export interface Storage extends AsyncDisposable {
  /** Results of the analysis. The graph forgives, and tells {@link onSourceError}. */
  readonly sources: Store<TraceRecord>
  /** What was known of the files of a tree. */
  readonly tables: CacheStore<string>
  /** For a tiered cache, which itself forgives. */
  readonly packages: Store<RegistryAnswer>
  readonly runs: CacheStore<RunSummary>
  /** Between processes that share the caches; undefined where one has them alone. */
  readonly bus: HeardBus | undefined
  /** Tells from now on when the server of the caches goes, and when it is back; undefined where there is none. */
  readonly followServer: ((tell: (line: string) => void) => Disposable) | undefined
  onSourceError(error: unknown): void
  /** Tells of calls for packages that failed, unless a failure was told: all caches are on one disk, or one server. */
  tellPackageFailures(count: number): void
}

/** ms between two questions to Redis whether it is there. */
const HEARTBEAT = 1_500
/** ms that Redis has to answer at the start, when several processes may start at once: what is decided then is so for the whole run. */
const PATIENCE = 5_000

/** Makes one of the stores. */
type OpenStore = <V>(name: string) => Store<V>

/** Opens the caches that the options name, or, with a notice, the next best ones. */
export async function openStorage(
  { cacheDirectory, redis }: DemoOptions,
  notice: (line: string) => void,
): Promise<Storage> {
  const opened = redis && (await openRedis(redis, notice))
  return opened ?? openSqlite(cacheDirectory, notice)
}

/** Caches in Redis; undefined when it cannot be reached. */
async function openRedis(url: URL, notice: (line: string) => void): Promise<Storage | undefined> {
  // Loaded only when asked for: a run on SQLite starts without a Redis client.
  const { RedisBus, RedisStore } = await import('@millrace/cache-redis')
  const prefix = (name: string) => `millrace-demo-${name}`
  const bus = new RedisBus({ url: url.href, prefix: prefix('packages'), heartbeat: HEARTBEAT })
  const storage = storageOf(
    name => new RedisStore({ url: url.href, prefix: prefix(name), compression: true }),
    notice,
    { bus, host: url.host },
  )
  const probe = new RedisStore({ url: url.href, prefix: 'millrace-demo', timeout: PATIENCE })
  try {
    await probe.fence()
    return storage
  } catch (error) {
    await storage[Symbol.asyncDispose]()
    notice(
      `Redis at ${url.host} cannot be used (${explainRedis(error as Error)}): caching in SQLite`,
    )
    return undefined
  } finally {
    await probe.close()
  }
}

/** Caches in files of a folder. A damaged one begins anew; without a folder they are in memory. Both with a notice. */
function openSqlite(folder: string, notice: (line: string) => void): Storage {
  const opened: Pick<Store<unknown>, 'close'>[] = []
  const open: OpenStore = <V>(name: string) => {
    const store = new SqliteStore<V>({
      path: join(folder, `${name}.db`),
      compression: true,
      onProblem: problem => notice(explainProblem(problem)),
    })
    opened.push(store)
    return store
  }
  try {
    mkdirSync(folder, { recursive: true })
    return storageOf(open, notice)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    for (const store of opened) void store.close()
    notice(`Cannot keep caches in ${folder} (${message}): this run caches in memory only`)
    return storageOf(() => new MemoryStore(), notice)
  }
}

function explainProblem({ reason, path, movedTo }: SqliteProblem): string {
  if (reason === 'removed') return `Cache ${path} was removed while in use: went on with a new one`
  return movedTo === undefined
    ? `Cache ${path} is damaged: went on with what another process had begun`
    : `Cache ${path} is damaged: kept as ${movedTo}, began a new one`
}

function storageOf(
  open: OpenStore,
  notice: (line: string) => void,
  server?: { readonly bus: RedisBus; readonly host: string },
): Storage {
  let told = false
  const tell = (line: string) => {
    if (!told) notice(line)
    told = true
  }
  const failed = (name: string, error: Error) =>
    tell(
      `The cache of ${name} failed (${explainRedis(error)}): going on without what the caches miss`,
    )
  const forgiving = <V>(name: string) =>
    new ForgivingStore<V>(open<V>(name), error => failed(name, error))
  const sources = open<TraceRecord>('sources')
  const tables = forgiving<string>('tables')
  const packages = open<RegistryAnswer>('packages')
  const runs = forgiving<RunSummary>('runs')
  return {
    sources,
    tables,
    packages,
    runs,
    bus: server && new HeardBus(server.bus),
    followServer:
      server &&
      (tellServer =>
        followServer(server.bus, {
          onGone: () => {
            told = true
            tellServer(`Redis at ${server.host} does not answer: going on without it`)
          },
          onBack: () => {
            told = false
            tellServer(`Redis at ${server.host} is back: caching in it again`)
          },
        })),
    onSourceError: error => failed('sources', error as Error),
    tellPackageFailures: count =>
      tell(`The cache of packages failed ${counted(count, 'time')}: asked the registry instead`),
    async [Symbol.asyncDispose]() {
      await server?.bus.close()
      await Promise.all([sources.close(), tables.close(), packages.close(), runs.close()])
    },
  }
}
