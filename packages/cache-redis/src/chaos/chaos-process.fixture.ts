import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { FsStore } from '@millrace/cache-core/fs'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { type Store, structuredCodec } from '@millrace/cache-core/store'
import { TieredCache, type TieredCacheOptions } from '@millrace/cache-core/tiered'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { RedisBus } from '../bus/redis-bus.ts'
import { RedisStore, type RedisStoreSettings } from '../index.ts'
import { type Trouble, TroubledStore } from './troubled-store.fixture.ts'

/** Where a process finds Redis. */
export type Target =
  | { readonly connection: RedisOptions }
  | { readonly cluster: readonly { readonly host: string; readonly port: number }[] }

/** What a process is told when it starts. */
export interface ProcessOptions {
  readonly index: number
  /** The server that holds the truth, and that no fault befalls. */
  readonly source: number
  readonly target: Target
  readonly store?: RedisStoreSettings<number>
  /** Keeps values in files, not in Redis, which is then the bus alone. */
  readonly files?: FileOptions
}

/** What a process that keeps values in files is told. */
export interface FileOptions {
  readonly kind: 'sqlite' | 'fs'
  readonly place: string
  readonly structured?: boolean
  readonly compression?: { readonly algorithm: 'gzip' | 'brotli'; readonly threshold: number }
  readonly tiered?: Pick<
    TieredCacheOptions<number>,
    'ttl' | 'l1Ttl' | 'breaker' | 'backgroundWrites'
  >
}

/** What a process saw during a round. */
export interface RoundReport {
  readonly reads: number
  readonly changes: number
  /** Changes that were refused or given up. */
  readonly failures: number
  /** What was served that is older than what this process had been told. */
  readonly stale: readonly string[]
  /** The call that ended latest after its timeout, in ms, beyond what the process itself was held up. */
  readonly overtime: number
}

/** What a process holds in the end. */
export interface FinalReport {
  /** Keys with another value than the source's. */
  readonly old: readonly string[]
  /** Bytes of its heap. */
  readonly heap: number
}

export type Order =
  | { readonly order: 'run'; readonly ms: number }
  | { readonly order: 'trouble'; readonly trouble: Trouble }
  | { readonly order: 'settle' }
  | { readonly order: 'check' }

/** Keys that anyone invalidates, and as many that one process writes. */
const KEYS = 6
const TAGS = 3
const CALLERS = 8
const TIMEOUT = 150
const STORE_TIMEOUT = 600
/** ms between two beats of a bus. */
const HEARTBEAT = 100
/** A pattern takes several calls of the store. */
const PATTERN_TIMEOUT = 4 * STORE_TIMEOUT

/** One process of a fleet: reads and changes at random, and compares all that it is served with the source. */
class ChaosProcess {
  readonly #index: number
  readonly #source: Redis
  readonly #store: Store<number>
  /** Invalidations that the store itself repeats. */
  readonly #recovering: () => number
  /** What is told to a store in files may come to be when it was given up. */
  readonly #troubled: TroubledStore<number> | undefined
  readonly #bus: RedisBus
  readonly #cache: TieredCache<number>
  /** The oldest version of each key that may still be served to this process. */
  readonly #floor = new Map<string, number>()
  readonly #changing = new Set<string>()
  #reads = 0
  #changes = 0
  #failures = 0
  #stale: string[] = []
  #overtime = 0
  #readOvertime = 0
  /** The longest call of the source, in ms: it may stand still as well, and bounds no call that waits for it. */
  #longestLoad = 0

  constructor({ index, source, target, store = {}, files }: ProcessOptions) {
    this.#index = index
    this.#source = new Redis(source)
    const where =
      'cluster' in target
        ? { client: cluster(target.cluster) }
        : { connection: { retryStrategy: () => 20, ...target.connection } }
    if (files === undefined) {
      const redis = new RedisStore<number>({ timeout: TIMEOUT, ...store, ...where })
      this.#store = redis
      this.#recovering = () => redis.stats().recovering
    } else {
      this.#store = openFiles(files)
      this.#recovering = () => 0
      this.#troubled = new TroubledStore(this.#store, STORE_TIMEOUT)
    }
    const { prefix } = store
    this.#bus = new RedisBus({ timeout: TIMEOUT, heartbeat: HEARTBEAT, prefix, ...where })
    this.#cache = new TieredCache<number>({
      store: this.#troubled?.store ?? this.#store,
      bus: this.#bus,
      // Less than there are, so that the store is read, too.
      maxEntries: KEYS,
      ttl: store.ttl ?? 600_000,
      storeTimeout: STORE_TIMEOUT,
      breaker: { cooldown: 100 },
      ...files?.tiered,
    })
  }

  trouble(trouble: Trouble): void {
    this.#troubled!.trouble = trouble
  }

  ready(): Promise<void> {
    return this.#bus.ready()
  }

  async run(ms: number): Promise<RoundReport> {
    this.#reads = 0
    this.#changes = 0
    this.#failures = 0
    this.#stale = []
    this.#overtime = 0
    this.#readOvertime = 0
    this.#longestLoad = 0
    const heldUp = monitorEventLoopDelay({ resolution: 10 })
    heldUp.enable()
    const end = performance.now() + ms
    const caller = async () => {
      while (performance.now() < end) {
        await this.#act()
        await nextTurn()
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, caller))
    heldUp.disable()
    return {
      reads: this.#reads,
      changes: this.#changes,
      failures: this.#failures,
      stale: this.#stale,
      overtime:
        Math.max(this.#overtime, this.#readOvertime - 2 * this.#longestLoad) -
        (2 * heldUp.max) / 1e6,
    }
  }

  /** Resolves when nothing waits to be repeated and messages arrive. */
  async settle(): Promise<void> {
    const pending = () =>
      this.#recovering() + this.#bus.stats().recovering + this.#cache.stats().pending
    for (;;) {
      while (pending() > 0 || this.#bus.stats().subscribed === 0) await sleep(5)
      const { trips, timeouts, failures } = this.#bus.stats()
      // Two beats, by which a loss without a word is noticed, if they were answered.
      await sleep(2.5 * HEARTBEAT)
      const now = this.#bus.stats()
      const beaten = now.trips >= trips + 2 && now.pending === 0 && now.subscribed === 1
      if (beaten && now.timeouts === timeouts && now.failures === failures) return
    }
  }

  async check(): Promise<FinalReport> {
    const old: string[] = []
    for (const key of keys()) {
      const value = await this.#cache.getOrLoad(key, () => this.#load(key), { tags: tagsOf(key) })
      const right = Number((await this.#source.get(key)) ?? 0)
      if (value !== right && !(await this.#source.sismember('unfinished', key))) {
        old.push(`${key}: ${value} for ${right}`)
      }
    }
    globalThis.gc?.()
    return { old, heap: process.memoryUsage().heapUsed }
  }

  async #act(): Promise<void> {
    const key = `${Math.random() < 0.5 ? 'k' : 'w'}${randomInt(KEYS)}`
    const dice = Math.random()
    if (dice < 0.6) await this.#read(key)
    else if (dice < 0.79) await this.#readStore(key)
    else if (dice < 0.8) await this.#timed(PATTERN_TIMEOUT, () => this.#cache.deleteMatching('k*'))
    else await this.#change(key)
  }

  async #read(key: string): Promise<void> {
    const floor = this.#floor.get(key) ?? 0
    const begun = performance.now()
    const value = await this.#attempt(() =>
      this.#cache.getOrLoad(key, () => this.#load(key), { tags: tagsOf(key) }),
    )
    // Two calls of the store and one of the source, and as many for who joined a load that was outdated meanwhile.
    const overtime = performance.now() - begun - 4 * STORE_TIMEOUT
    this.#readOvertime = Math.max(this.#readOvertime, overtime)
    this.#reads++
    if (value !== undefined && value < floor) this.#stale.push(`${key} at ${value}, after ${floor}`)
  }

  /** What was acknowledged to any process counts. */
  async #readStore(key: string): Promise<void> {
    // A write that was given up may come to be behind a later one, and is removed then; no deletion ever does harm.
    if (this.#troubled !== undefined && key.startsWith('w')) return
    const acknowledged = Number((await this.#source.get(`ack:${key}`)) ?? 0)
    const entry = await this.#timed(TIMEOUT, () => this.#store.get(key))
    this.#reads++
    if (entry !== undefined && entry.expires !== 0 && entry.value < acknowledged) {
      this.#stale.push(`${key} in the store at ${entry.value}, after ${acknowledged}`)
    }
  }

  async #change(key: string): Promise<void> {
    const written = key.startsWith('w')
    // Which of two values written at once is the newer one, no cache can know: a key has one writer, who does nothing else with it meanwhile.
    if (written && (Number(key.slice(1)) % 4 !== this.#index || this.#changing.has(key))) return
    this.#changing.add(key)
    const intent = `${key}#${this.#index}#${Math.random()}`
    const noted = this.#source.hset('intents', intent, key)
    const version = await this.#source.incr(key)
    await noted
    let done = true
    const outcome = await this.#timed(STORE_TIMEOUT, async () => {
      try {
        await this.#invalidate(key, version, written)
      } catch (error) {
        done = false
        throw error
      }
      return true
    })
    this.#changes++
    if (outcome === undefined) this.#failures++
    // A change that failed holds in this process all the same.
    this.#floor.set(key, Math.max(this.#floor.get(key) ?? 0, version))
    const raised = done ? this.#source.eval(RAISE, 1, `ack:${key}`, version) : undefined
    await this.#source.hdel('intents', intent)
    await raised
    this.#changing.delete(key)
  }

  #invalidate(key: string, version: number, written: boolean): Promise<unknown> {
    const dice = Math.random()
    if (written && dice < 0.7) return this.#cache.set(key, version, { tags: tagsOf(key) })
    if (dice < 0.5) return this.#cache.delete(key)
    if (dice < 0.65) return this.#cache.expire(key)
    if (dice < 0.85) return this.#cache.deleteTag(tagsOf(key)[0]!)
    if (dice < 0.95) return this.#cache.expireTag(tagsOf(key)[0]!)
    return this.#cache.clear({ expire: dice < 0.98 })
  }

  async #load(key: string): Promise<number> {
    const begun = performance.now()
    const value = Number((await this.#source.get(key)) ?? 0)
    await sleep(Math.random() * 15)
    this.#longestLoad = Math.max(this.#longestLoad, performance.now() - begun)
    return value
  }

  async #timed<T>(timeout: number, call: () => Promise<T>): Promise<T | undefined> {
    const begun = performance.now()
    const result = await this.#attempt(call)
    this.#overtime = Math.max(this.#overtime, performance.now() - begun - timeout)
    return result
  }

  /** The result, or `undefined` if the call failed, as it may while something is wrong. */
  async #attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call()
    } catch (error) {
      const { code } = error as { code?: string }
      if (!code?.startsWith('ERR_MILLRACE_')) throw error
      return undefined
    }
  }
}

const RAISE = `if tonumber(redis.call('GET', KEYS[1]) or 0) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end`

function keys(): string[] {
  return ['k', 'w'].flatMap(kind => Array.from({ length: KEYS }, (_, index) => `${kind}${index}`))
}

function tagsOf(key: string): string[] {
  return [`t${Number(key.slice(1)) % TAGS}`]
}

function openFiles({ kind, place, structured, compression }: FileOptions): Store<number> {
  const options = {
    ...(structured && { codec: structuredCodec }),
    ...(compression && { compression }),
  }
  return kind === 'sqlite'
    ? new SqliteStore<number>({ path: join(place, 'cache.db'), ...options })
    : new FsStore<number>({ folder: join(place, 'cache'), ...options })
}

function cluster(nodes: readonly { host: string; port: number }[]): Cluster {
  const client = new Cluster([...nodes], {
    clusterRetryStrategy: () => 50,
    redisOptions: { maxRetriesPerRequest: 1 },
  })
  client.on('error', () => undefined)
  return client
}

const chaos = new ChaosProcess(JSON.parse(process.argv[2]!) as ProcessOptions)
process.on('message', async (message: Order) => {
  if (message.order === 'run') process.send!(await chaos.run(message.ms))
  else if (message.order === 'trouble') chaos.trouble(message.trouble)
  else if (message.order === 'check') process.send!(await chaos.check())
  else process.send!(await chaos.settle().then(() => 'settled'))
})
await chaos.ready()
process.send!('ready')
