import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisServer, UpstreamServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { published } from '../conventions/published.fixture.ts'
import { cacheSubjects } from './caches.fixture.ts'
import { fileSubjects } from './files.fixture.ts'
import { httpSubjects } from './http.fixture.ts'
import { limitSubjects } from './limits.fixture.ts'
import { metricSubjects, tracerSubjects } from './observability.fixture.ts'
import { redisSubjects } from './redis.fixture.ts'
import { sharedLimitSubjects } from './shared-limits.fixture.ts'
import { contradictions, kindsOf, type StatsSource, type Subject } from './walk.fixture.ts'

let upstream: UpstreamServer
let redis: RedisServer
let client: Redis
let folder: string
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-stats-')))
  ;[upstream, redis] = await Promise.all([UpstreamServer.start(), RedisServer.start()])
  client = new Redis(redis.url)
})
afterAll(() => {
  client.disconnect()
  rmSync(folder, { recursive: true })
  return Promise.all([upstream.close(), redis.stop()])
})

/** Makes one object of each class with `stats()`, by package. */
const subjects: Readonly<
  Record<string, () => Record<string, Subject> | Promise<Record<string, Subject>>>
> = {
  '@millrace/cache-core': () => cacheSubjects(folder),
  '@millrace/cache-files': () => fileSubjects(folder),
  '@millrace/cache-redis': () => redisSubjects(redis),
  '@millrace/http-pool': () => httpSubjects(upstream),
  '@millrace/perf-metrics': () => metricSubjects(upstream),
  '@millrace/rate-limit': () => ({ ...limitSubjects(), ...sharedLimitSubjects(client) }),
  '@millrace/tracer': () => tracerSubjects(upstream, folder),
}

/** Classes that work only with other processes, terminals or browsers, whose own tests say what their numbers do. */
const elsewhere: ReadonlySet<string> = new Set([
  'ClusterReceiver',
  'SharedLanes',
  'Dashboard',
  'ConsoleExporter',
])

type Class = new (...args: never[]) => StatsSource

/** The exported classes of a package that have `stats()`. */
async function classesWithStats(name: string): Promise<Map<string, Class>> {
  const { entries } = published.find(each => each.name === name)!
  const modules = await Promise.all(
    entries.map(entry => import(/* @vite-ignore */ entry) as Promise<Record<string, unknown>>),
  )
  return new Map(
    modules
      .flatMap(module => Object.entries(module))
      // One that has an earlier name as well is looked at once.
      .filter(([as, value]) => (value as { name?: unknown } | undefined)?.name === as)
      .filter((named): named is [string, Class] => {
        const prototype = (named[1] as { prototype?: Partial<StatsSource> } | undefined)?.prototype
        return typeof prototype?.stats === 'function'
      }),
  )
}

describe.each(Object.keys(subjects))('stats() of %s', name => {
  test('says of each number whether it is a counter, a gauge or a sum of ms, at no cost to an object', async () => {
    const classes = await classesWithStats(name)
    const silent = [...classes].filter(([, { prototype }]) => kindsOf(prototype) === undefined)
    expect(silent.map(([each]) => each)).toEqual([])
  })

  test('says what is true: what counts never falls, and what rises with the work falls with it', async () => {
    const made = await subjects[name]!()
    const classes = [...(await classesWithStats(name)).keys()].filter(each => !elsewhere.has(each))
    expect(Object.keys(made).sort()).toEqual(classes.sort())
    for (const [each, subject] of Object.entries(made))
      expect([each, ...(await contradictions(subject))]).toEqual([each])
  })
})
