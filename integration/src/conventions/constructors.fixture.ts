import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as core from '@millrace/cache-core'
import { CoherenceGroup } from '@millrace/cache-core/coherence'
import { FsStore } from '@millrace/cache-core/fs'
import { insight } from '@millrace/cache-core/insight'
import { KeyvAdapter, KeyvStore } from '@millrace/cache-core/keyv'
import { MemoryStore } from '@millrace/cache-core/memory'
import { ProtectedCache } from '@millrace/cache-core/protect'
import { AdaptiveSize, memoryPressure } from '@millrace/cache-core/size'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { storeContract } from '@millrace/cache-core/store-contract'
import { TickerClock } from '@millrace/cache-core/ticker'
import { LayeredStore, TieredCache } from '@millrace/cache-core/tiered'
import { AccessOrder, AccessPredictor, Warmer } from '@millrace/cache-core/warm'
import * as files from '@millrace/cache-files'
import * as redis from '@millrace/cache-redis'
import * as http from '@millrace/http-pool'
import * as metrics from '@millrace/perf-metrics'
import { collectRuntime, EventMetrics, instrumentChannels } from '@millrace/perf-metrics/collect'
import { Dashboard } from '@millrace/perf-metrics/dashboard'
import { grafanaDashboard } from '@millrace/perf-metrics/grafana'
import { compareSnapshots, Guard } from '@millrace/perf-metrics/guard'
import { OtlpMetricExporter } from '@millrace/perf-metrics/otlp'
import { ClusterSender, SharedLanes } from '@millrace/perf-metrics/workers'
import * as limit from '@millrace/rate-limit'
import * as adaptive from '@millrace/rate-limit/adaptive'
import * as limitHttp from '@millrace/rate-limit/http'
import * as jobs from '@millrace/rate-limit/jobs'
import * as limitRedis from '@millrace/rate-limit/redis'
import * as tracer from '@millrace/tracer'
import { instrument } from '@millrace/tracer/auto'
import { FileExporter, OtlpTraceExporter } from '@millrace/tracer/otlp'
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
  CacheOptions: options => new core.Cache(options),
  MemoizeOptions: options => core.memoize(String, options as never),
  MemoryPressureOptions: memoryPressure,
  AdaptiveSizeOptions: options => {
    const cache = new core.Cache({ maxEntries: 10 })
    return new AdaptiveSize(cache, { limit: 'maxEntries', initial: 100, ...options })
  },
  InsightOptions: insight,
  ClearOptions: options => new core.Cache().clear(options),
  LoadedOptions: options => core.loaded(1, options),
  LoadOptions: options => new core.Cache().getOrLoadSync('a', () => 1, options),
  AdviceOptions: advice => insight({ advice }),
  PredictionOptions: options => new AccessPredictor().next('a', options),
  CoherenceGroupOptions: options => new CoherenceGroup(options as never),
  MemberOptions: options =>
    new CoherenceGroup().add('a', { cache: new core.Cache(), ...options } as never),
  KeyvStoreOptions: options => new KeyvStore(new Map() as never, options),
  StoreContractOptions: options => {
    const runner = { describe: () => undefined, test: () => undefined }
    storeContract('a', {
      runner,
      open: () => Promise.reject(new Error('never')),
      ...options,
    } as never)
  },
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
  QueryOptions: options =>
    new files.Graph({ files: table() }).query('a', () => 1, options as never),
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
  HttpCacheOptions: cache => new http.HttpPool({ cache } as never),
  OriginOptions: options => new http.HttpPool({ origins: { 'http://a.test': options } } as never),
  HttpBreakerOptions: breaker => new http.HttpPool({ breaker }),
  HttpRetryOptions: retry => new http.HttpPool({ retry } as never),
  HedgeOptions: hedge => new http.HttpPool({ hedge }),
  ThrottleOptions: throttle => new http.HttpPool({ throttle }),
  RegistryOptions: options => new metrics.Registry(options as never),
  MetricOptions: options => registry().counter('a', options as never),
  ObserveOptions: options =>
    registry().observe('a', { stats: () => ({}) } as never, options as never),
  EventMetricsOptions: options => new EventMetrics(registry(), options),
  HttpServerMetricsOptions: httpServer => instrumentChannels(registry(), { httpServer } as never),
  CompareOptions: options => compareSnapshots(registry().toJSON(), registry().toJSON(), options),
  GrafanaOptions: options => grafanaDashboard(registry(), options),
  GaugeOptions: options => registry().gauge('a', options as never),
  HistogramOptions: options => registry().histogram('a', options as never),
  'perf-metrics OtlpOptions': options => registry().toOtlp(options as never),
  OpenMetricsOptions: options => registry().toOpenMetrics(options),
  ChannelOptions: options => instrumentChannels(registry(), options as never),
  ClusterSenderOptions: options => new ClusterSender(registry(), { send: () => {}, ...options }),
  SharedLanesOptions: options => new SharedLanes({ threads: 1, ...options }),
  OtlpMetricExporterOptions: options => new OtlpMetricExporter(registry(), options as never),
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
  RetryOptions: retry => new OtlpTraceExporter({ retry }),
  ConsoleExporterOptions: options => new tracer.ConsoleExporter(options),
  OtlpTraceExporterOptions: options => new OtlpTraceExporter(options as never),
  FileExporterOptions: options =>
    new FileExporter({ path: join(tmpdir(), `millrace-${randomUUID()}`), ...options } as never),
  HttpServerOptions: httpServer =>
    instrument(new tracer.Tracer({ signals: [] }), { httpServer } as never),
  InstrumentOptions: options => instrument(new tracer.Tracer({ signals: [] }), options as never),
}

/** Names of the options of an interface, those that it inherits among them, by the listings of the public surfaces. */
export function optionNames(label: string): string[] {
  const [interfaceName, owner = ''] = label.split(' ').reverse() as [string, string?]
  const names = new Set<string>()
  for (const each of published.filter(({ name }) => name.endsWith(owner))) {
    const found = namesIn(apiReport(each), interfaceName)
    for (const name of found) names.add(name)
  }
  return [...names]
}

/** Interfaces of options, and what takes options under another name, of every package: as `package Interface`. */
export function optionInterfaces(): string[] {
  return published.flatMap(each => {
    const declared = apiReport(each).matchAll(
      /^export (?:interface|type) (\w+(?:Options|Settings))\b/gm,
    )
    const short = each.name.replace('@millrace/', '')
    return [...new Set(Array.from(declared, ([, name]) => `${short} ${name}`))]
  })
}

/** In a listing: what an interface names itself, and what the interfaces name that it extends. */
function namesIn(report: string, interfaceName: string): Set<string> {
  const found = new RegExp(
    `^export (?:interface|type) ${interfaceName}\\b([^{\\n]*)(?:\\{\\n(.*?)^\\})?`,
    'ms',
  ).exec(report)
  const [, head = '', body = ''] = found ?? []
  const names = new Set(
    Array.from(body.matchAll(/^ {4}(?:readonly )?(\w+)\??: /gm), ([, name]) => name!),
  )
  const from =
    /(?:\bextends\b(?!.*\bextends\b)|^ =)(.*)/.exec(head.replace(/<.*? = .*?> /, ' '))?.[1] ?? ''
  const parent =
    /(?:(Omit|Pick)<)?\b(\w*(?:Options|Settings|Limits|Timeouts|LoadBehavior))\b(?:<[^<>]*>)?(?:, ([^<>]*)>)?/g
  for (const [, kind, name, keys = ''] of from.matchAll(parent)) {
    for (const inherited of namesIn(report, name!)) {
      const mentioned = keys.includes(`'${inherited}'`)
      if (kind === undefined || mentioned === (kind === 'Pick')) names.add(inherited)
    }
  }
  return names
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
