import { inspect } from 'node:util'
import * as core from '@millrace/cache-core'
import { FsStore } from '@millrace/cache-core/fs'
import { MemoryStore } from '@millrace/cache-core/memory'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { TieredCache } from '@millrace/cache-core/tiered'
import * as files from '@millrace/cache-files'
import * as redis from '@millrace/cache-redis'
import * as http from '@millrace/http-pool'
import * as metrics from '@millrace/perf-metrics'
import * as limit from '@millrace/rate-limit'
import * as tracer from '@millrace/tracer'
import { describe, expect, test } from 'vitest'
import { apiReport, published } from './published.fixture.ts'

const secret = 'Bearer eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXBheWxvYWQ.SIGNATURE-0123456789abcdef'

type Make = (options: Record<string, unknown>) => unknown

/** Constructors by the interface of their options, with what else they need. */
const constructors: Record<string, Make> = {
  'cache-core CacheOptions': options => new core.Cache(options),
  MemoryStoreOptions: options => new MemoryStore(options),
  FsStoreOptions: options => new FsStore({ folder: '/nonexistent', ...options } as never),
  SqliteStoreOptions: options => new SqliteStore({ path: ':memory:', ...options } as never),
  TieredCacheOptions: options => new TieredCache({ store: new MemoryStore(), ...options } as never),
  FileTableOptions: options => new files.FileTable({ root: '.', ...options } as never),
  RedisStoreSettings: options =>
    new redis.RedisStore({ url: 'redis://127.0.0.1:1', ...options } as never),
  HttpPoolOptions: options => new http.HttpPool(options as never),
  RegistryOptions: options => new metrics.Registry(options as never),
  TokenBucketOptions: options => new limit.TokenBucket({ rate: 1, ...options } as never),
  KeyedLimiterOptions: options => new limit.KeyedLimiter({ rate: 1, ...options } as never),
  SemaphoreOptions: options => new limit.Semaphore({ permits: 1, ...options } as never),
  SlidingWindowOptions: options =>
    new limit.SlidingWindow({ limit: 1, window: 1_000, ...options } as never),
  TracerOptions: options => new tracer.Tracer({ signals: [], ...options } as never),
}

/** Every class of the family called InvalidOptionError. */
const errorClasses = [core, files, redis, http, metrics, limit, tracer].map(
  module => module.InvalidOptionError,
)

/** Names of the options of an interface, by the listings of the public surfaces; `package Interface` where two have one of that name. */
function optionNames(label: string): string[] {
  const [interfaceName, owner = ''] = label.split(' ').reverse() as [string, string?]
  const names = new Set<string>()
  for (const each of published.filter(({ name }) => name.endsWith(owner))) {
    const [, body] =
      new RegExp(`^export interface ${interfaceName}\\b[^{]*\\{\\n(.*?)^\\}`, 'ms').exec(
        apiReport(each),
      ) ?? []
    for (const [, name] of (body ?? '').matchAll(/^ {4}(?:readonly )?(\w+)\??: /gm))
      names.add(name!)
  }
  return [...names]
}

function thrown(make: () => unknown): unknown {
  try {
    const made = make() as Partial<Disposable & AsyncDisposable> | undefined
    if (made?.[Symbol.dispose]) made[Symbol.dispose]!()
    else void made?.[Symbol.asyncDispose]?.()
    return undefined
  } catch (error) {
    return error
  }
}

describe.each(Object.entries(constructors))('%s', (interfaceName, make) => {
  test('lists its options in api.md', () => {
    expect(optionNames(interfaceName)).not.toEqual([])
  })

  test('keeps a credential given to any wrong option out of what is logged', () => {
    for (const name of optionNames(interfaceName)) {
      // Any string is right for these, and a file of that name would be made.
      if (name === 'path' || name === 'folder') continue
      const error = thrown(() => make({ [name]: secret }))
      // A path or URL may stand in the error of what was done with it; an option of the wrong kind may not.
      if (!(error instanceof core.InvalidOptionError)) continue
      const logged = `${(error as Error).message} ${inspect(error, { showHidden: true, depth: 9 })}`
      expect([name, logged.includes('SIGNATURE')]).toEqual([name, false])
    }
  })

  test('refuses an option it does not have, by an error that every package knows as its own', () => {
    const error = thrown(() => make({ maximalNumberOfThings: secret }))
    expect(error).toMatchObject({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'maximalNumberOfThings',
    })
    for (const InvalidOptionError of errorClasses) expect(error).toBeInstanceOf(InvalidOptionError)
    expect(inspect(error)).not.toContain('SIGNATURE')
  })

  test('names the nearest option where one is misspelt', () => {
    for (const name of optionNames(interfaceName).filter(option => option.length > 5)) {
      const misspelt = `${name.slice(0, 2)}q${name.slice(3)}`
      expect((thrown(() => make({ [misspelt]: 1 })) as Error).message).toContain(`\`${name}\``)
    }
  })
})
