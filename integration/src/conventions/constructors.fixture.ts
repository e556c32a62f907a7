import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@millrace/cache-core'
import { FsStore } from '@millrace/cache-core/fs'
import { insight } from '@millrace/cache-core/insight'
import { KeyvAdapter } from '@millrace/cache-core/keyv'
import { MemoryStore } from '@millrace/cache-core/memory'
import { ProtectedCache } from '@millrace/cache-core/protect'
import { AdaptiveSize, memoryPressure } from '@millrace/cache-core/size'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { TickerClock } from '@millrace/cache-core/ticker'
import { LayeredStore, TieredCache } from '@millrace/cache-core/tiered'
import { AccessOrder, AccessPredictor, Warmer } from '@millrace/cache-core/warm'
import * as files from '@millrace/cache-files'
import * as redis from '@millrace/cache-redis'
import * as http from '@millrace/http-pool'
import * as metrics from '@millrace/perf-metrics'
import { collectRuntime, instrumentChannels } from '@millrace/perf-metrics/collect'
import { Dashboard } from '@millrace/perf-metrics/dashboard'
import { Guard } from '@millrace/perf-metrics/guard'
import { OtlpExporter as MetricsExporter } from '@millrace/perf-metrics/otlp'
import { ClusterSender, SharedLanes } from '@millrace/perf-metrics/workers'
import * as limit from '@millrace/rate-limit'
import * as adaptive from '@millrace/rate-limit/adaptive'
import * as limitHttp from '@millrace/rate-limit/http'
import * as jobs from '@millrace/rate-limit/jobs'
import * as limitRedis from '@millrace/rate-limit/redis'
import * as tracer from '@millrace/tracer'
import { instrument } from '@millrace/tracer/auto'
import { FileExporter, OtlpExporter as SpanExporter } from '@millrace/tracer/otlp'
import { Redis } from 'ioredis'
import { apiReport, published } from './published.fixture.ts'

type Make = (options: Record<string, unknown>) => unknown

const table = () => new files.FileTable()
const store = () => new MemoryStore()
const registry = () => new metrics.Registry()
/** A port that refuses, so that what connects does not wait. */
const url = 'redis://127.0.0.1:1'
/** Never connects. */
const client = new Redis(url, { lazyConnect: true })

/** What options are given to, by the interface of the options (`package Interface` where two have one of that name), with what else is needed. */
export const constructors: Record<string, Make> = {
  'cache-core CacheOptions': options => new core.Cache(options),
  MemoizeOptions: options => core.memoize(String, options as never),
  MemoryPressureOptions: memoryPressure,
  AdaptiveSizeOptions: options => {
    const cache = new core.Cache({ maxEntries: 10 })
    return new AdaptiveSize(cache, { limit: 'maxEntries', initial: 100, ...options })
  },
  InsightOptions: insight,
  'cache-core SetOptions': options => new core.Cache().set('a', 1, options),
  MemoryStoreOptions: options => new MemoryStore(options),
  CompressionOptions: compression => new SqliteStore({ path: ':memory:', compression } as never),
  'cache-core BreakerOptions': breaker => new TieredCache({ store: store(), breaker } as never),
  FsStoreOptions: options => new FsStore({ folder: '/nonexistent', ...options } as never),
  SqliteStoreOptions: options => new SqliteStore({ path: ':memory:', ...options } as never),
  TieredCacheOptions: options => new TieredCache({ store: store(), ...options } as never),
  LayeredStoreOptions: options =>
    new LayeredStore({ near: store(), far: store(), ...options } as never),
  WarmerOptions: options => new Warmer({ load: () => {}, ...options } as never),
  AccessOrderOptions: options => new AccessOrder(options),
  AccessPredictorOptions: options => new AccessPredictor(options),
  KeyvAdapterOptions: options => new KeyvAdapter(store(), options),
  ProtectedCacheOptions: options => new ProtectedCache(options),
  TickerOptions: options => new TickerClock(options),
  FileTableOptions: options => new files.FileTable({ root: '.', ...options } as never),
  ParseCacheOptions: options =>
    new files.ParseCache({ files: table(), id: 'x', parse: String, ...options } as never),
  ParsePoolOptions: options =>
    new files.ParsePool({ module: new URL('file:///nonexistent'), ...options } as never),
  FactsOptions: options =>
    new files.Facts({
      files: table(),
      store: store(),
      id: 'x',
      extract: () => 1,
      ...options,
    } as never),
  GraphOptions: options => new files.Graph({ files: table(), ...options } as never),
  WatcherOptions: options =>
    new files.Watcher({ files: table(), source: new files.ManualSource(), ...options } as never),
  WorkspaceOptions: options =>
    new files.Workspace({
      root: '.',
      cacheFolder: join(tmpdir(), `millrace-${randomUUID()}`),
      ...options,
    } as never),
  RedisStoreSettings: options => new redis.RedisStore({ url, ...options } as never),
  ConnectionOptions: options => new redis.RedisStore({ url, ...options } as never),
  RedisBusSettings: options => new redis.RedisBus({ url, ...options } as never),
  RedisLeaseSettings: options => new redis.RedisLease({ url, ...options } as never),
  RedisTrackingOptions: options => new redis.RedisTracking({ url, ...options } as never),
  'cache-redis BreakerOptions': breaker => new redis.RedisStore({ url, breaker }),
  HttpPoolOptions: options => new http.HttpPool(options as never),
  OriginOptions: options => new http.HttpPool({ origins: { 'http://a.test': options } } as never),
  'http-pool BreakerOptions': breaker => new http.HttpPool({ breaker }),
  'http-pool RetryOptions': retry => new http.HttpPool({ retry } as never),
  HedgeOptions: hedge => new http.HttpPool({ hedge }),
  ThrottleOptions: throttle => new http.HttpPool({ throttle }),
  RegistryOptions: options => new metrics.Registry(options as never),
  GaugeOptions: options => registry().gauge('a', options as never),
  HistogramOptions: options => registry().histogram('a', options as never),
  'perf-metrics OtlpOptions': options => registry().toOtlp(options as never),
  OpenMetricsOptions: options => registry().toOpenMetrics(options),
  ChannelOptions: options => instrumentChannels(registry(), options as never),
  ClusterSenderOptions: options => new ClusterSender(registry(), { send: () => {}, ...options }),
  SharedLanesOptions: options => new SharedLanes({ threads: 1, ...options }),
  'perf-metrics OtlpExporterOptions': options => new MetricsExporter(registry(), options as never),
  GuardOptions: options => new Guard(registry(), { rules: [], ...options } as never),
  DashboardOptions: options => new Dashboard({ registry: registry(), ...options } as never),
  RuntimeOptions: options => collectRuntime(registry(), options),
  TokenBucketOptions: options => new limit.TokenBucket({ rate: 1, ...options } as never),
  KeyedLimiterOptions: options => new limit.KeyedLimiter({ rate: 1, ...options } as never),
  KeyedWindowOptions: options =>
    new limit.KeyedWindow({ limit: 1, window: 1_000, ...options } as never),
  SemaphoreOptions: options => new limit.Semaphore({ permits: 1, ...options } as never),
  SlidingWindowOptions: options =>
    new limit.SlidingWindow({ limit: 1, window: 1_000, ...options } as never),
  LimitedOptions: options => limit.limited(new limit.TokenBucket({ rate: 1 }), options as never),
  ConcurrentOptions: options =>
    limit.concurrent(new limit.Semaphore({ permits: 1 }), options as never),
  FairOrderOptions: options => new limit.FairOrder(options),
  PriorityOrderOptions: options => new limit.PriorityOrder(options),
  AdaptiveSemaphoreOptions: options => new adaptive.AdaptiveSemaphore(options as never),
  AimdOptions: options => new adaptive.Aimd(options),
  GradientOptions: options => new adaptive.Gradient(options),
  ClientAddressOptions: options => limitHttp.clientAddress(options),
  HttpLimitOptions: options =>
    new limitHttp.HttpLimit({ limiter: new limit.KeyedLimiter({ rate: 1 }), ...options } as never),
  JobBatcherOptions: options => new jobs.JobBatcher({ run: () => {}, ...options } as never),
  JobGroupOptions: options => new jobs.JobGroup(options as never),
  JobSchedulerOptions: options => new jobs.JobScheduler(options as never),
  RedisLimitOptions: options =>
    new limitRedis.RedisTokenBucket({ client, id: 'x', rate: 1, ...options } as never),
  RedisTokenBucketOptions: options =>
    new limitRedis.RedisTokenBucket({ client, id: 'x', rate: 1, ...options } as never),
  RedisSlidingWindowOptions: options => {
    const needed = { client, id: 'x', limit: 1, window: 1_000 }
    return new limitRedis.RedisSlidingWindow({ ...needed, ...options } as never)
  },
  RedisSemaphoreOptions: options =>
    new limitRedis.RedisSemaphore({ client, id: 'x', permits: 1, ...options } as never),
  RedisKeyedLimiterOptions: options =>
    new limitRedis.RedisKeyedLimiter({ client, id: 'x', rate: 1, ...options } as never),
  RedisKeyedWindowOptions: options => {
    const needed = { client, id: 'x', limit: 1, window: 1_000 }
    return new limitRedis.RedisKeyedWindow({ ...needed, ...options } as never)
  },
  'rate-limit BreakerOptions': breaker =>
    new limitRedis.RedisTokenBucket({ client, id: 'x', rate: 1, breaker } as never),
  TracerOptions: options => new tracer.Tracer({ signals: [], ...options } as never),
  TailSamplingOptions: tail => new tracer.Tracer({ signals: [], tail }),
  SpanLimits: limits => new tracer.Tracer({ signals: [], limits }),
  TracedOptions: options => new tracer.Tracer({ signals: [] }).traced(String, options),
  RatioOptions: options => tracer.ratio(1, options),
  'tracer RetryOptions': retry => new SpanExporter({ retry }),
  ConsoleExporterOptions: options => new tracer.ConsoleExporter(options),
  'tracer OtlpExporterOptions': options => new SpanExporter(options as never),
  FileExporterOptions: options =>
    new FileExporter({ path: join(tmpdir(), `millrace-${randomUUID()}`), ...options } as never),
  'tracer InstrumentOptions': options =>
    instrument(new tracer.Tracer({ signals: [] }), options as never),
}

/** Names of the options of an interface, by the listings of the public surfaces. */
export function optionNames(label: string): string[] {
  const [interfaceName, owner = ''] = label.split(' ').reverse() as [string, string?]
  const names = new Set<string>()
  for (const each of published.filter(({ name }) => name.endsWith(owner))) {
    const [, body] =
      new RegExp(`^export (?:interface|type) ${interfaceName}\\b[^{]*\\{\\n(.*?)^\\}`, 'ms').exec(
        apiReport(each),
      ) ?? []
    for (const [, name] of (body ?? '').matchAll(/^ {4}(?:readonly )?(\w+)\??: /gm))
      names.add(name!)
  }
  return [...names]
}

/** What making throws; what is made is closed. */
export function thrown(make: () => unknown): unknown {
  try {
    const made = make() as Partial<Disposable & AsyncDisposable> | undefined
    if (made?.[Symbol.dispose]) made[Symbol.dispose]!()
    else void made?.[Symbol.asyncDispose]?.()
    return undefined
  } catch (error) {
    return error
  }
}
