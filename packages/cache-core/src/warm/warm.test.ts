import { setImmediate as nextTurn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { InvalidOptionError } from '../errors.ts'
import { AccessOrder } from './access-order.ts'
import { AccessPredictor } from './access-predictor.ts'
import { alongDependencies } from './along-dependencies.ts'
import { Warmer, type WarmProgress } from './warmer.ts'

const HOUR = 3_600_000

describe('AccessPredictor', () => {
  test('learns what follows what, with the share of the cases', () => {
    const predictor = new AccessPredictor<string>()
    for (let round = 0; round < 20; round++) {
      predictor.record('login')
      predictor.record(round % 4 === 3 ? 'help' : 'home')
      predictor.record(`other ${round}`)
    }
    const [first, ...more] = predictor.next('login')
    expect(first).toMatchObject({ key: 'home', reason: 'follows' })
    expect(first!.probability).toBeCloseTo(0.71, 1)
    expect(more).toEqual([])
    expect(predictor.next('login', { least: 0.2 }).map(({ key }) => key)).toEqual(['home', 'help'])
    expect(predictor.next('unknown')).toEqual([])
  })

  test('what follows by chance is no follower, and new habits replace old ones', () => {
    const predictor = new AccessPredictor<string>()
    for (let i = 0; i < 200; i++) {
      predictor.record('hub')
      predictor.record(`${(i * 7_919) % 97}`)
    }
    expect(predictor.next('hub', { least: 0.1 })).toEqual([])
    for (let i = 0; i < 300; i++) for (const key of ['hub', 'spoke']) predictor.record(key)
    expect(predictor.next('hub')[0]).toMatchObject({ key: 'spoke' })
  })

  test('learns intervals: the regular key is due when its interval ends, the irregular one is not', () => {
    const clock = new VirtualClock(0)
    const predictor = new AccessPredictor<string>({ clock })
    for (let minute = 0; minute <= 60; minute++) {
      if (minute % 10 === 0) predictor.record('report')
      if (minute ** 2 % 61 < 6) predictor.record('whim')
      clock.advance(60_000)
    }
    // 61 minutes have passed, the next report comes at 70.
    expect(predictor.due(60_000)).toEqual([])
    expect(predictor.due(10 * 60_000).map(({ key, reason }) => `${key} ${reason}`)).toEqual([
      'report interval',
    ])
    clock.advance(2 * HOUR)
    expect(predictor.due(HOUR)).toEqual([])
  })

  test('learns hours of the day, at irregular minutes', () => {
    const clock = new VirtualClock(0)
    const predictor = new AccessPredictor<string>({ clock })
    for (let day = 0; day < 7; day++) {
      clock.jumpTo(day * 24 * HOUR + 9 * HOUR + ((day * 37) % 60) * 60_000)
      predictor.record('morning')
      clock.advance(((day * 53) % 90) * 60_000)
      predictor.record('morning')
    }
    clock.jumpTo(7 * 24 * HOUR + 8.5 * HOUR)
    expect(predictor.due(HOUR, { least: 0.8 })).toMatchObject([{ key: 'morning' }])
    clock.jumpTo(7 * 24 * HOUR + 15 * HOUR)
    expect(predictor.due(HOUR)).toEqual([])
  })

  test('remembers no more keys than it may, the latest ones, and never predicts with more than certainty', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 300 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 3 }),
        (keys, maxKeys, reach) => {
          const clock = new VirtualClock(0)
          const predictor = new AccessPredictor<number>({ maxKeys, reach, clock })
          for (const key of keys) {
            predictor.record(key)
            clock.advance(key)
          }
          expect(predictor.size).toBe(Math.min(maxKeys, new Set(keys).size))
          const all = [
            ...predictor.next(keys.at(-1) ?? 0, { least: 0 }),
            ...predictor.due(100, { least: 0 }),
          ]
          for (const { probability } of all) {
            expect(probability).toBeGreaterThanOrEqual(0)
            expect(probability).toBeLessThanOrEqual(1)
          }
        },
      ),
    )
  })

  test('a key that is forgotten has no habits, and bad options are named', () => {
    const predictor = new AccessPredictor<string>()
    for (let i = 0; i < 5; i++) for (const key of ['a', 'b']) predictor.record(key)
    predictor.forget('a')
    expect(predictor.next('a')).toEqual([])
    expect(() => new AccessPredictor({ maxKeys: 0 })).toThrow('`maxKeys`')
    expect(() => new AccessPredictor({ maxkeys: 1 } as never)).toThrow('did you mean `maxKeys`')
    expect(() => predictor.next('b', { least: 2 })).toThrow('`least`')
  })
})

test('AccessOrder keeps the order of first use, within its bound', () => {
  const order = new AccessOrder<string>({ maxKeys: 3 })
  for (const key of ['c', 'a', 'c', 'b', 'd', 'b']) order.record(key)
  expect(order.keys()).toEqual(['c', 'a', 'b'])
  expect(order.keys(2)).toEqual(['c', 'b'])
})

describe('alongDependencies', () => {
  const imports: Record<string, string[]> = {
    main: ['a', 'b'],
    a: ['c', 'main'],
    b: ['c'],
    c: ['d'],
    d: ['e'],
  }
  const all = async (depth?: number) => {
    const found: string[] = []
    for await (const key of alongDependencies(['main'], async key => imports[key] ?? [], depth)) {
      found.push(key)
    }
    return found
  }

  test('goes breadth first, each key once, circles or not, as deep as it may', async () => {
    expect(await all(0)).toEqual(['main'])
    expect(await all(1)).toEqual(['main', 'a', 'b'])
    expect(await all()).toEqual(['main', 'a', 'b', 'c', 'd'])
    expect(await all(9)).toEqual(['main', 'a', 'b', 'c', 'd', 'e'])
    await expect(all(-1)).rejects.toThrow('`depth`')
  })

  test('asks what a key depends on after it was loaded', async () => {
    const trees = new Cache<string, string[]>()
    const { warmed } = await new Warmer<string>({
      workers: 1,
      load: key => trees.getOrLoad(key, () => imports[key] ?? []),
    }).warm(alongDependencies(['main'], key => trees.get(key)!))
    expect([warmed, [...trees.keys()].sort()]).toEqual([5, ['a', 'b', 'c', 'd', 'main']])
  })
})

describe('Warmer', () => {
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)

  test('loads all keys, few at once, skips what is there, goes on after a failure, and tells of each', async () => {
    const cache = new Cache<string, string>().set('k3', 'there')
    let running = 0
    let most = 0
    const seen: WarmProgress<string>[] = []
    const warmer = new Warmer<string>({
      workers: 3,
      has: key => cache.has(key),
      load: async key => {
        most = Math.max(most, ++running)
        await nextTurn()
        running--
        if (key === 'k5') throw new Error('gone')
        cache.set(key, 'loaded')
      },
      onProgress: progress => seen.push(progress),
    })
    const report = await warmer.warm(keys)
    expect(report).toMatchObject({ warmed: 18, skipped: 1, failed: 1, stopped: 'done' })
    expect([most, cache.size]).toEqual([3, 19])
    expect(seen).toHaveLength(20)
    expect(seen.find(({ outcome }) => outcome === 'failed')).toMatchObject({
      key: 'k5',
      error: { message: 'gone' },
    })
    expect(seen.at(-1)).toMatchObject({ warmed: 18, skipped: 1, failed: 1 })
  })

  test('is not ended by a listener that throws or rejects, of which the process is warned', async () => {
    const failure = new Error('no')
    const warnings: Error[] = []
    const warned = (warning: Error): void => {
      if ((warning as { listener?: string }).listener === 'onProgress') warnings.push(warning)
    }
    process.on('warning', warned)
    const listeners = [
      () => {
        throw failure
      },
      () => Promise.reject(failure),
    ]
    for (const onProgress of listeners) {
      const warmer = new Warmer<string>({ load: async key => key, onProgress })
      expect(await warmer.warm(['a', 'b'])).toMatchObject({ warmed: 2, stopped: 'done' })
    }
    await nextTurn()
    process.off('warning', warned)
    const warning = { name: 'ListenerError', listener: 'onProgress', cause: failure }
    expect(warnings).toMatchObject([warning, warning, warning, warning])
  })

  test('goes by no measure that fails: without an answer of `memory` no load begins', async () => {
    const bad = (): never => {
      throw new Error('no answer')
    }
    const load = async (): Promise<void> => {}
    const limited = { load, memoryLimit: 5 }
    for (const memory of [bad, () => Number.NaN]) {
      const report = await new Warmer<string>({ ...limited, memory }).warm(keys)
      expect(report).toMatchObject({ warmed: 0, stopped: 'memory' })
    }
    for (const traffic of [bad, () => Number.NaN]) {
      const report = await new Warmer<string>({ load, traffic }).warm(keys)
      expect(report).toMatchObject({ warmed: keys.length, stopped: 'done' })
    }
  })

  test('ends at the limit of time, though a load hangs, whose signal is aborted', async () => {
    const clock = new VirtualClock()
    const signals: AbortSignal[] = []
    const warming = new Warmer<string>({
      workers: 2,
      timeLimit: 500,
      clock,
      load: (_, { signal }) => {
        signals.push(signal)
        return new Promise(() => {})
      },
    }).warm(keys)
    await nextTurn()
    await nextTurn()
    await clock.advanceAsync(500)
    expect(await warming).toEqual({
      warmed: 0,
      skipped: 0,
      failed: 0,
      stopped: 'time',
      elapsed: 500,
    })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    expect(clock.pending).toBe(0)
  })

  test('ends at the limit of memory, with what was begun', async () => {
    let bytes = 0
    const report = await new Warmer<string>({
      workers: 2,
      memoryLimit: 1_000,
      memory: () => bytes,
      load: () => {
        bytes += 200
      },
    }).warm(keys)
    expect(report).toMatchObject({ stopped: 'memory', failed: 0 })
    expect(report.warmed).toBeGreaterThanOrEqual(5)
    expect(report.warmed).toBeLessThanOrEqual(6)
    const own = await new Warmer<string>({ memoryLimit: 1, load: () => 1 }).warm(keys)
    expect(own).toMatchObject({ stopped: 'memory', warmed: 0 })
  })

  test('rests while callers wait for loads of their own, and goes on afterwards', async () => {
    const clock = new VirtualClock()
    let traffic = 4
    let loaded = 0
    const warming = new Warmer<string>({
      workers: 4,
      traffic: () => traffic,
      clock,
      load: () => {
        loaded++
      },
    }).warm(keys)
    for (let i = 0; i < 10; i++) {
      await nextTurn()
      await clock.advanceAsync(10)
    }
    expect(loaded).toBe(0)
    traffic = 0
    await clock.advanceAsync(10)
    expect(await warming).toMatchObject({ warmed: 20, stopped: 'done' })
  })

  test('an endless source of keys ends by its signal, and is let go of', async () => {
    const controller = new AbortController()
    let released = false
    async function* endless() {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        released = true
      }
    }
    const report = await new Warmer<number>({
      load: key => {
        if (key === 50) controller.abort()
      },
    }).warm(endless(), { signal: controller.signal })
    expect(report.stopped).toBe('aborted')
    expect(report.warmed).toBeGreaterThanOrEqual(45)
    await nextTurn()
    expect(released).toBe(true)
    const before = await new Warmer<number>({ load: () => 1 }).warm([1], {
      signal: AbortSignal.abort(),
    })
    expect(before).toMatchObject({ stopped: 'aborted', warmed: 0 })
  })

  const failing: [string, () => Iterable<string> | Promise<Iterable<string>>][] = [
    ['rejects', () => Promise.reject(new Error('unknown'))],
    [
      'throws',
      () => {
        throw new Error('unknown')
      },
    ],
    [
      'ends in the middle',
      function* () {
        yield 'late'
        throw new Error('unknown')
      },
    ],
    ['is no list', () => 5 as never],
  ]
  test.each(failing)(
    'a key whose dependencies cannot be had (%s) is counted, and the others are warmed',
    async (_, fail) => {
      const tree: Record<string, string[]> = { main: ['bad', 'good'], good: ['leaf'] }
      const told: unknown[] = []
      const loads: string[] = []
      const warmer = new Warmer<string>({
        workers: 3,
        load: key => loads.push(key),
        onProgress: ({ key, outcome, error }) => {
          if (outcome === 'failed') told.push([key, (error as { code?: string }).code])
        },
      })
      const report = await warmer.warm(
        alongDependencies(['main'], key => (key === 'bad' ? fail() : (tree[key] ?? []))),
      )
      const warmed = ['main', 'bad', 'good', 'leaf'].concat(loads.includes('late') ? 'late' : [])
      expect([...loads].sort()).toEqual(warmed.sort())
      expect(report).toMatchObject({ warmed: warmed.length, failed: 1, stopped: 'done' })
      expect(told).toEqual([['bad', 'ERR_MILLRACE_DEPENDENCIES']])
    },
  )

  test('a thousand keys whose dependencies cannot be had leave room to others, and end by a signal', async () => {
    const roots = Array.from({ length: 1_000 }, (_, root) => root)
    const controller = new AbortController()
    let failures = 0
    const report = await new Warmer<number>({
      load: () => {},
      onProgress: ({ outcome }) => {
        if (outcome === 'failed' && ++failures === 10) setImmediate(() => controller.abort())
      },
    }).warm(
      alongDependencies(roots, () => {
        throw new Error('unknown')
      }),
      { signal: controller.signal },
    )
    expect(report).toMatchObject({ warmed: 1_000, stopped: 'aborted' })
    expect(report.failed).toBeLessThan(100)
  })

  test.each([['text'], [5], [null], [undefined]])(
    'dependencies that are %j instead of a list of keys are a failure of their key',
    async dependencies => {
      const report = await new Warmer<string>({ load: () => {} }).warm(
        alongDependencies(['main', 'good'], key => (key === 'main' ? (dependencies as never) : [])),
      )
      expect(report).toMatchObject({ warmed: 2, failed: 1, stopped: 'done' })
      const walk = alongDependencies(['main'], () => dependencies as never)
      await walk.next()
      await expect(walk.next()).rejects.toMatchObject({
        code: 'ERR_MILLRACE_DEPENDENCIES',
        cause: { code: 'ERR_MILLRACE_INVALID_OPTION' },
      })
    },
  )

  test('a walk along dependencies ends by the first failure, with its key and cause', async () => {
    const cause = new Error('unknown')
    const found: string[] = []
    const walk = alongDependencies(['a', 'b'], () => Promise.reject(cause))
    await expect(
      (async () => {
        for await (const key of walk) found.push(key)
      })(),
    ).rejects.toMatchObject({ code: 'ERR_MILLRACE_DEPENDENCIES', key: 'a', cause })
    expect(found).toEqual(['a', 'b'])
    await expect(walk.next()).rejects.toMatchObject({ key: 'b' })
    expect(await walk.next()).toEqual({ done: true, value: undefined })
  })

  test('what the source of the keys throws is the caller’s', async () => {
    async function* broken() {
      yield 1
      throw new Error('no list')
    }
    await expect(new Warmer<number>({ load: () => 1 }).warm(broken())).rejects.toThrow('no list')
    expect(() => new Warmer({ load: 5 as never })).toThrow('`load`')
    expect(() => new Warmer({ load: () => 1, workers: 0 })).toThrow('`workers`')
    expect(() => new Warmer({ load: () => 1, timelimit: 1 } as never)).toThrow('`timeLimit`')
  })

  test('fills a cache in the order of the last run', async () => {
    const order = new AccessOrder<string>()
    for (const key of ['index', 'about', 'index']) order.record(key)
    const kept = JSON.parse(JSON.stringify(order.keys())) as string[]
    const cache = new Cache<string, string>()
    const loads: string[] = []
    await new Warmer<string>({
      workers: 1,
      load: (key, { signal }) => {
        loads.push(key)
        return cache.getOrLoad(key, () => `page ${key}`, { signal })
      },
    }).warm(kept)
    expect(loads).toEqual(['index', 'about'])
    expect(cache.get('index')).toBe('page index')
  })
})

describe('where keys come from', () => {
  const counting = (end: Pick<IterableIterator<number>, 'return'>): Iterable<number> => ({
    [Symbol.iterator]: () => {
      let next = 0
      return Object.defineProperties(
        { next: () => ({ value: next++, done: false as const }) },
        Object.getOwnPropertyDescriptors(end),
      )
    },
  })
  const bad = (): never => {
    throw new Error('return')
  }
  const asynchronous = (source: Iterable<number>): AsyncIterable<number> => ({
    [Symbol.asyncIterator]: () => {
      const inner = source[Symbol.iterator]()
      return Object.create(inner, { next: { value: async () => inner.next() } })
    },
  })
  const sources: [string, () => Iterable<number>][] = [
    ['throws', () => counting({ return: bad })],
    ['rejects', () => counting({ return: () => Promise.reject(new Error('return')) as never })],
    ['hangs', () => counting({ return: () => new Promise(() => {}) as never })],
    ['is no function', () => counting({ return: 5 as never })],
    [
      'cannot be read',
      () =>
        counting({
          get return() {
            return bad()
          },
        }),
    ],
    [
      'runs a `finally` that throws',
      function* () {
        try {
          for (let i = 0; ; i++) yield i
        } finally {
          bad()
        }
      },
    ],
  ]

  describe.each(sources)('an endless source whose `return` %s', (_, source) => {
    test.each([
      ['at once', source],
      ['later', () => asynchronous(source())],
    ])('is left at a limit, its keys there %s', async (_, keys) => {
      const clock = new VirtualClock()
      let loads = 0
      const load = () => {
        if (++loads === 10) clock.advance(100)
        if (loads === 20) controller.abort()
      }
      const controller = new AbortController()
      const warmer = (options: object) => new Warmer<number>({ load, clock, ...options })
      expect((await warmer({ timeLimit: 100 }).warm(keys())).stopped).toBe('time')
      const { signal } = controller
      expect((await warmer({}).warm(keys(), { signal })).stopped).toBe('aborted')
      const limited = warmer({ memoryLimit: 30, memory: () => loads })
      expect((await limited.warm(keys())).stopped).toBe('memory')
    })
  })

  test.each([undefined, null, 5, {}, 'abc'])('%o is refused', async keys => {
    const call = new Warmer({ load: () => {} }).warm(keys as never)
    await expect(call).rejects.toMatchObject({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'keys',
    })
    const along = alongDependencies(keys as never, () => []).next()
    await expect(along).rejects.toMatchObject({ code: 'ERR_MILLRACE_INVALID_OPTION' })
  })

  test('an iterator that gives no result object ends it', async () => {
    const keys = { [Symbol.asyncIterator]: () => ({ next: async () => 5 }) }
    await expect(new Warmer({ load: () => {} }).warm(keys as never)).rejects.toThrow(TypeError)
  })

  test('dependencies without end are handed on one by one', async () => {
    const endless = function* () {
      for (let i = 0; ; i++) yield i
    }
    const found: number[] = []
    for await (const key of alongDependencies([-1], endless)) {
      if (found.push(key) === 5) break
    }
    expect(found).toEqual([-1, 0, 1, 2, 3])
  })

  test.each([{ signal: {} }, { signal: 5 }, { signal: null }])('%o is refused', async options => {
    const call = new Warmer({ load: () => {} }).warm([1], options as never)
    await expect(call).rejects.toMatchObject({ option: 'signal' })
  })

  test.each([Number.NaN, -1, '5', undefined])('a horizon of %o is refused', horizon => {
    expect(() => new AccessPredictor().due(horizon as never)).toThrow(InvalidOptionError)
  })

  test.each([
    [AccessPredictor, { maxKeys: 2 ** 24 + 1 }],
    [AccessPredictor, { clock: 5 }],
    [AccessOrder, { maxKeys: 2 ** 24 + 1 }],
    [Warmer, { load: () => {}, workers: null }],
  ])('%o refuses %o', (kind, options) => {
    expect(() => new kind(options as never)).toThrow(InvalidOptionError)
  })
})
