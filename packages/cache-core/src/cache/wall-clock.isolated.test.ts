import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Cache, CacheOptions } from '../index.ts'

/** Steps of the monotonic clock; the wall clock moves on its own. */
type Command =
  | { readonly verb: 'wait'; readonly ms: number }
  | { readonly verb: 'wall'; readonly hours: number }
  | { readonly verb: 'get' | 'peek' | 'explain' | 'expire' | 'fail' | 'none'; readonly key: string }
  | { readonly verb: 'set' | 'load'; readonly key: string; readonly ttl: number | undefined }
  | { readonly verb: 'expireTag' | 'purge' }

const HOUR = 3_600_000
const OPTIONS: CacheOptions<string, number | null> = {
  ttl: 100,
  idleTtl: 80,
  staleWhileRevalidate: 50,
  staleIfError: 200,
  softTimeout: 10,
  eagerRefresh: 0.5,
  negativeTtl: 30,
  errorBackoff: 20,
}

let create: (options: CacheOptions<string, number | null>) => Cache<string, number | null>

beforeAll(async () => {
  // Before the package is loaded, which keeps the function that it reads the clock with.
  vi.useFakeTimers({ toFake: ['hrtime', 'setTimeout', 'clearTimeout'] })
  vi.resetModules()
  const { Cache: Fresh } = await import('../index.ts')
  create = options => new Fresh(options)
})

afterAll(() => {
  vi.useRealTimers()
  // Other files of this worker must not get the package that reads the clock of this one.
  vi.resetModules()
})

/** Does a command to a cache with the default clock, and returns what a caller sees of it. */
async function apply(
  cache: Cache<string, number | null>,
  command: Command,
  value: number,
): Promise<unknown> {
  const load = (key: string, loaded: number | null, ttl?: number): Promise<unknown> =>
    cache.getOrLoad(key, () => loaded, { ttl, tags: ['t'] })
  switch (command.verb) {
    case 'wait':
    case 'wall':
      return undefined
    case 'set':
      cache.set(command.key, value, { ttl: command.ttl, tags: ['t'] })
      return undefined
    case 'load':
      return load(command.key, value, command.ttl)
    case 'none':
      return load(command.key, null)
    case 'fail': {
      const failing = cache.getOrLoad(command.key, () => Promise.reject(new Error('down')))
      return failing.catch((error: Error) => error.message)
    }
    case 'expireTag':
      return cache.expireTag('t')
    case 'purge':
      return cache.purge()
    default:
      return cache[command.verb](command.key)
  }
}

/** What callers see of two caches that are used alike, of which only the first meets a wall clock that is moved. */
async function observe(
  commands: readonly Command[],
  options: CacheOptions<string, number | null>,
): Promise<{ readonly moved: unknown[]; readonly still: unknown[] }> {
  const realNow = Date.now
  let offset = 0
  let present = 0
  const wall = vi.spyOn(Date, 'now').mockImplementation(() => realNow() + present)
  const [first, second] = [create(options), create(options)]
  const seen = { moved: [] as unknown[], still: [] as unknown[] }
  try {
    for (const [at, command] of commands.entries()) {
      if (command.verb === 'wall') offset += command.hours * HOUR
      present = offset
      if (command.verb === 'wait') await vi.advanceTimersByTimeAsync(command.ms)
      seen.moved.push(await apply(first, command, at))
      present = 0
      seen.still.push(await apply(second, command, at))
    }
    present = offset
    seen.moved.push(new Map(first), first.stats())
    present = 0
    seen.still.push(new Map(second), second.stats())
  } finally {
    wall.mockRestore()
    first.close()
    second.close()
  }
  return seen
}

const key = fc.constantFrom('a', 'b', 'c')
const ttl = fc.option(fc.integer({ min: 1, max: 150 }), { nil: undefined })
const commands = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ verb: fc.constant('wait' as const), ms: fc.nat(90) }) },
    fc.record({ verb: fc.constant('wall' as const), hours: fc.constantFrom(-1, 1) }),
    fc.record({ verb: fc.constantFrom('set' as const, 'load' as const), key, ttl }),
    fc.record({
      verb: fc.constantFrom('get', 'peek', 'explain', 'expire', 'fail', 'none'),
      key,
    }) as fc.Arbitrary<Command>,
    fc.record({ verb: fc.constantFrom('expireTag' as const, 'purge' as const) }),
  ) as fc.Arbitrary<Command>,
  { minLength: 5, maxLength: 40 },
)

test('a wall clock that is moved back and forth by an hour changes nothing that a caller sees', async () => {
  const { idleTtl: _, ...withoutIdle } = OPTIONS
  await fc.assert(
    fc.asyncProperty(commands, fc.constantFrom(OPTIONS, withoutIdle), async (list, options) => {
      const { moved, still } = await observe(list, options)
      expect(moved).toEqual(still)
    }),
    { numRuns: runs(200) },
  )
})

test('entries expire after their time to live whichever way the wall clock was moved', async () => {
  for (const hours of [-1, 1]) {
    const list: Command[] = [
      { verb: 'set', key: 'a', ttl: 100 },
      { verb: 'wall', hours },
      { verb: 'wait', ms: 70 },
      { verb: 'get', key: 'a' },
      { verb: 'wait', ms: 31 },
      { verb: 'get', key: 'a' },
      { verb: 'none', key: 'b' },
      { verb: 'wall', hours: -hours },
      { verb: 'wait', ms: 29 },
      { verb: 'get', key: 'b' },
      { verb: 'wait', ms: 2 },
      { verb: 'get', key: 'b' },
    ]
    const { moved } = await observe(list, OPTIONS)
    const reads = list.flatMap(({ verb }, at) => (verb === 'get' ? [moved[at]] : []))
    expect(reads).toEqual([0, undefined, null, undefined])
  }
})
