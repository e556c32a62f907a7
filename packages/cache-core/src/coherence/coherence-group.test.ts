import { VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from '../tiered/tiered-cache.ts'
import { CoherenceGroup } from './coherence-group.ts'
import type { CoherentCache } from './coherence-member.ts'
import { contentKey } from './content-key.ts'

test('an invalidation takes with it what was made of the entry, once each, through circles and tiers', async () => {
  const files = new Cache<string, string>()
  const trees = new Cache<string, string>()
  const results = new TieredCache<string>({ store: new MemoryStore() })
  const group = new CoherenceGroup()
    .add('files', { cache: files, dependents: ['trees', 'results'] })
    .add('trees', {
      cache: trees,
      dependents: [{ member: 'results', keys: key => [`${key}:lint`, `${key}:types`] }],
    })
    .add('results', {
      cache: results,
      dependents: [{ member: 'files', keys: key => [key.split(':')[0]!] }],
    })
  for (const key of ['a', 'b']) {
    files.set(key, 'text')
    trees.set(key, 'tree')
    await results.set(`${key}:lint`, 'fine')
  }
  expect(await group.invalidate('files', 'a')).toEqual({
    invalidated: { files: 1, trees: 1, results: 1 },
    cleared: [],
    failures: [],
  })
  expect([files.has('a'), trees.has('a'), await results.get('a:lint')]).toEqual([
    false,
    false,
    undefined,
  ])
  expect([files.has('b'), trees.has('b'), await results.get('b:lint')]).toEqual([
    true,
    true,
    'fine',
  ])
  expect((await group.clear('trees')).cleared).toEqual(['trees', 'results', 'files'])
  expect([files.size, trees.size, await results.get('b:lint')]).toEqual([0, 0, undefined])
})

test('a circle that leads to ever new keys ends with its members empty', async () => {
  const [one, two] = [new Cache<string, number>(), new Cache<string, number>()]
  two.set('unrelated', 1)
  const next = (key: string) => [`${key.length + Math.random()}`]
  const group = new CoherenceGroup()
    .add('one', { cache: one, dependents: [{ member: 'two', keys: next }] })
    .add('two', { cache: two, dependents: [{ member: 'one', keys: next }] })
  const report = await group.invalidate('one', 'k')
  expect([one.size, two.size]).toEqual([0, 0])
  expect(report).toMatchObject({ invalidated: { one: 0, two: 0 }, failures: [] })
  expect([...report.cleared].sort()).toEqual(['one', 'two'])
})

test('a circle that is too long is expired where it was to be expired', async () => {
  const cache = new Cache<string, number>({ staleIfError: 60_000 }).set('unrelated', 1)
  let last = 0
  const group = new CoherenceGroup().add('c', {
    cache,
    dependents: [{ member: 'c', keys: () => [`${++last}`, `${++last}`] }],
  })
  await group.invalidate('c', 'k', 'expire')
  expect(cache.has('unrelated')).toBe(false)
  expect(await cache.getOrLoad('unrelated', () => Promise.reject(new Error('down')))).toBe(1)
})

test('any number of keys may be given: each is invalidated, counted, and the rest stays', async () => {
  const count = 101_000
  const files = new Cache<string, number>({ maxEntries: 200_000, staleIfError: 3_600_000 })
  const trees = new Cache<string, number>({ maxEntries: 200_000, staleIfError: 3_600_000 })
  const keys = Array.from({ length: count }, (_, i) => `${i}`)
  for (const key of keys) {
    files.set(key, 1)
    trees.set(key, 1)
  }
  for (const cache of [files, trees]) cache.set('unrelated', 1)
  const group = new CoherenceGroup()
    .add('files', { cache: files, dependents: ['trees'] })
    .add('trees', { cache: trees })
  expect(await group.invalidateMany('files', keys, 'expire')).toEqual({
    invalidated: { files: count, trees: count },
    cleared: [],
    failures: [],
  })
  expect([files.peek('unrelated'), trees.peek('unrelated')]).toEqual([1, 1])
  expect(await trees.getOrLoad('7', () => Promise.reject(new Error('down')))).toBe(1)
})

test('a member in two tiers is a source and is made of others as well', async () => {
  const [files, trees] = [1, 2].map(
    () => new TieredCache<{ text: string }>({ store: new MemoryStore() }),
  )
  const group = new CoherenceGroup()
    .add<{ text: string }>('files', {
      cache: files!,
      dependents: ['trees'],
      version: file => contentKey(file.text),
    })
    .add<{ text: string }>('trees', {
      cache: trees!,
      derivedFrom: (tree, key) => [{ member: 'files', key, version: tree.text }],
    })
  for (const key of ['good', 'changed', 'gone']) {
    await files!.set(key, { text: key })
    await trees!.set(key, { text: contentKey(key) })
  }
  expect(await group.validate()).toMatchObject({ checked: 3, inconsistencies: [] })
  await files!.set('changed', { text: 'anew' })
  await files!.delete('gone')
  const { repaired, invalidated } = await group.repair()
  expect(repaired.map(({ key, kind }) => `${key} ${kind}`).sort()).toEqual([
    'changed outdated',
    'gone orphaned',
  ])
  expect(invalidated).toEqual({ trees: 2 })
  expect(await trees!.getMany(['good', 'changed', 'gone'])).toEqual(
    new Map([['good', { text: contentKey('good') }]]),
  )
  expect(await group.invalidateMany('files', ['good', 'changed', 'absent'])).toMatchObject({
    invalidated: { files: 2, trees: 1 },
  })
})

test('a member that fails is reported, and stops no other', async () => {
  const last = new Cache<string, number>().set('k', 1)
  const broken = {
    delete: () => Promise.reject(new Error('no connection')),
    clear: () => undefined,
  }
  const group = new CoherenceGroup()
    .add('broken', { cache: broken, dependents: ['last'] })
    .add('last', { cache: last })
  const { invalidated, failures } = await group.invalidate('broken', 'k')
  expect(invalidated).toEqual({ last: 1 })
  expect(failures).toMatchObject([{ member: 'broken', error: { message: 'no connection' } }])
  expect(last.has('k')).toBe(false)
})

function* ever(key: string): Generator<string> {
  for (let i = 0; ; i++) yield `${key}${i}`
}

function* again(key: string): Generator<string> {
  for (;;) yield key
}

test.each<[string, (key: string) => unknown]>([
  ['names nothing', () => undefined],
  ['names a promise', () => Promise.resolve(['k'])],
  ['names a string, which would be its characters', () => 'k'],
  ['names a number among its keys', () => ['k', 5]],
  ['names undefined among its keys', () => [undefined, 'k']],
  ['names the same key without end', again],
  [
    'throws',
    () => {
      throw new Error('no keys')
    },
  ],
])('a dependent that %s is reported, and cleared as a whole with its own', async (_, keys) => {
  const pages = new Cache<string, number>({ staleIfError: 60_000 }).set('k', 1).set('l', 1)
  const last = new Cache<string, number>().set('other', 1)
  const dependent = { member: 'pages', keys: keys as () => string[] }
  const group = new CoherenceGroup()
    .add('files', { cache: new Cache<string, number>(), dependents: [dependent] })
    .add('pages', { cache: pages, dependents: ['last'] })
    .add('last', { cache: last })
  const { failures, cleared } = await group.invalidate('files', 'a', 'expire')
  expect(failures).toMatchObject([{ member: 'pages', error: expect.any(Error) }])
  expect(cleared).toEqual(['pages', 'last'])
  expect([pages.has('k'), pages.has('l'), last.has('other')]).toEqual([false, false, false])
  // By the same verb.
  const failing = () => Promise.reject(new Error('source is down'))
  expect(await pages.getOrLoad('k', failing)).toBe(1)
})

test('a dependent that names keys without end is cleared', async () => {
  const pages = new Cache<string, number>().set('k', 1)
  const group = new CoherenceGroup()
    .add('files', {
      cache: new Cache<string, number>(),
      dependents: [{ member: 'pages', keys: ever }],
    })
    .add('pages', { cache: pages })
  const { cleared, failures } = await group.invalidate('files', 'a')
  expect([cleared, failures, pages.size]).toEqual([['pages'], [], 0])
})

describe('a member that does not answer', () => {
  const silence = (): Promise<never> => new Promise(() => undefined)
  const silent = { delete: silence, clear: silence, expire: silence }

  test('has failed after the time-out, and what was made of it is invalidated', async () => {
    const clock = new VirtualClock()
    const last = new Cache<string, number>().set('a', 1).set('b', 1)
    const group = new CoherenceGroup({ timeout: 500, clock })
      .add('silent', { cache: silent, dependents: ['last'] })
      .add('last', { cache: last })
    for (const work of [
      () => group.invalidateMany('silent', ['a', 'b']),
      () => group.invalidateMany('silent', ['a', 'b'], 'expire'),
      () => group.clear('silent'),
    ]) {
      last.set('a', 1).set('b', 1)
      const report = work()
      await clock.advanceAsync(499)
      expect(last.has('a')).toBe(true)
      await clock.advanceAsync(1)
      const { failures } = await report
      for (const failure of failures) {
        expect(failure).toMatchObject({
          member: 'silent',
          error: { code: 'ERR_MILLRACE_MEMBER_TIMEOUT', timeout: 500 },
        })
      }
      expect([failures.length > 0, last.has('a')]).toEqual([true, false])
    }
    expect(clock.pending).toBe(0)
  })

  test('is asked nothing more in that invalidation', async () => {
    const clock = new VirtualClock()
    let asked = 0
    const cache = {
      ...silent,
      delete: () => {
        asked++
        return silence()
      },
    }
    const group = new CoherenceGroup({ timeout: 500, clock }).add('silent', { cache })
    const report = group.invalidateMany(
      'silent',
      Array.from({ length: 5_000 }, (_, i) => `${i}`),
    )
    await clock.advanceAsync(500)
    await report
    expect(asked).toBe(1_000)
  })

  test.each<[string, Partial<CoherentCache>, Partial<CoherentCache>]>([
    ['its entries', { entries: () => ({ [Symbol.asyncIterator]: () => ({ next: silence }) }) }, {}],
    [
      'the rest of its entries, or that no more are wanted',
      {
        async *entries() {
          yield ['a', 1] as [string, unknown]
          await silence()
        },
      },
      {},
    ],
    ['what others are made of', {}, { peek: silence }],
  ])('%s ends its validation', async (_name, asDerived, asSource) => {
    const clock = new VirtualClock()
    const group = new CoherenceGroup({ timeout: 500, clock })
      .add('source', { cache: { ...new Cache<string, number>(), ...silent, ...asSource } })
      .add('derived', {
        cache: { ...silent, entries: () => [['a', 1] as [string, unknown]], ...asDerived },
        derivedFrom: (_value, key) => [{ member: 'source', key }],
      })
    const report = group.validate()
    for (let i = 0; i < 4; i++) await clock.advanceAsync(500)
    const { failures } = await report
    expect(failures).toMatchObject([
      { member: 'derived', error: { code: 'ERR_MILLRACE_MEMBER_TIMEOUT' } },
    ])
    expect(clock.pending).toBe(0)
  })
})

test('expire leaves stale copies where a member can', async () => {
  const cache = new Cache<string, number>({ staleIfError: 60_000 }).set('k', 1)
  await new CoherenceGroup().add('c', { cache }).invalidate('c', 'k', 'expire')
  expect(cache.has('k')).toBe(false)
  const failing = () => Promise.reject(new Error('source is down'))
  expect(await cache.getOrLoad('k', failing)).toBe(1)
})

test('validate finds what does not fit together, and repair mends that alone', async () => {
  interface Tree {
    of: string
  }
  const files = new Cache<string, string>()
  const trees = new Cache<string, Tree>()
  const results = new Cache<string, number>()
  const group = new CoherenceGroup()
    .add<string>('files', {
      cache: files,
      dependents: ['trees'],
      version: text => contentKey(text),
    })
    .add<Tree>('trees', {
      cache: trees,
      dependents: ['results'],
      derivedFrom: (tree, key) => [{ member: 'files', key, version: tree.of }],
    })
    .add<number>('results', { cache: results, derivedFrom: (_, key) => [{ member: 'trees', key }] })
  for (const key of ['good', 'changed', 'gone']) {
    files.set(key, key)
    trees.set(key, { of: contentKey(key) })
    results.set(key, 1)
  }
  expect(await group.validate()).toEqual({ checked: 6, inconsistencies: [], failures: [] })
  files.set('changed', 'anew')
  files.delete('gone')
  results.set('lonely', 1)
  const report = await group.validate()
  expect(
    report.inconsistencies.map(({ member, key, kind }) => `${member} ${key} ${kind}`).sort(),
  ).toEqual(['results lonely orphaned', 'trees changed outdated', 'trees gone orphaned'])
  trees.set('changed', { of: contentKey('anew') })
  const { repaired, settled, invalidated } = await group.repair(report)
  expect(repaired.map(({ key }) => key).sort()).toEqual(['gone', 'lonely'])
  expect(settled.map(({ key }) => key)).toEqual(['changed'])
  expect(invalidated).toEqual({ trees: 1, results: 2 })
  expect([...results.keys()].sort()).toEqual(['changed', 'good'])
  expect((await group.validate()).inconsistencies).toEqual([])
})

test('an entry that cannot be looked at hides no other, neither from validate nor from repair', async () => {
  const sources = new Cache<string, string>()
  const derived = new Cache<string, string>()
  let broken = ['b']
  const group = new CoherenceGroup().add('sources', { cache: sources }).add<string>('derived', {
    cache: derived,
    derivedFrom: (value, key) => {
      if (broken.includes(key)) throw new Error(`cannot read ${value}`)
      return [{ member: 'sources', key }]
    },
  })
  for (const key of ['a', 'b', 'c', 'd']) derived.set(key, key)
  const report = await group.validate()
  expect(report).toMatchObject({ checked: 4, failures: [{ member: 'derived' }] })
  expect(report.inconsistencies.map(({ key }) => key).sort()).toEqual(['a', 'c', 'd'])
  broken = ['c']
  const { repaired, settled, failures } = await group.repair(report)
  expect(repaired.map(({ key }) => key).sort()).toEqual(['a', 'd'])
  expect([settled, failures.length, [...derived.keys()].sort()]).toEqual([[], 1, ['b', 'c']])
})

test.each([
  ['an unknown member', () => [{ member: 'nowhere', key: 'k' }]],
  ['nothing of it', () => [{}]],
  ['no list', () => 'files'],
  ['null', () => null],
])('an entry that says to be made of %s is a failure alone', async (_, derivedFrom) => {
  const sources = new Cache<string, string>()
  const derived = new Cache<string, string>().set('orphan', 'v')
  const odd = new Cache<string, string>().set('odd', 'v')
  const group = new CoherenceGroup()
    .add('sources', { cache: sources })
    .add('odd', { cache: odd, derivedFrom: derivedFrom as never })
    .add('derived', { cache: derived, derivedFrom: () => [{ member: 'sources', key: 'orphan' }] })
  const report = await group.validate()
  expect(report.failures).toMatchObject([{ member: 'odd' }])
  expect(report.inconsistencies.map(({ key }) => key)).toEqual(['orphan'])
  const { repaired, failures } = await group.repair()
  expect([repaired.length, failures.length, odd.has('odd'), derived.has('orphan')]).toEqual([
    1,
    0,
    true,
    false,
  ])
})

test('cascades through any graph reach what can be reached, each entry once', async () => {
  const nodes = ['a', 'b', 'c', 'd', 'e']
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...nodes), fc.constantFrom(...nodes)), { maxLength: 12 }),
      fc.constantFrom(...nodes),
      async (edges, from) => {
        const calls: string[] = []
        const group = new CoherenceGroup()
        for (const node of nodes) {
          group.add(node, {
            cache: { delete: () => calls.push(node), clear() {} },
            dependents: edges.filter(([source]) => source === node).map(([, target]) => target),
          })
        }
        await group.invalidate(from, 'k')
        const reached = new Set([from])
        for (let grown = true; grown; ) {
          const before = reached.size
          for (const [source, target] of edges) if (reached.has(source)) reached.add(target)
          grown = reached.size > before
        }
        expect(calls.sort()).toEqual([...reached].sort())
      },
    ),
  )
})

test('bad members are named', async () => {
  const group = new CoherenceGroup().add('a', { cache: new Cache(), dependents: ['later'] })
  expect(() => group.add('a', { cache: new Cache() })).toThrow('`name`')
  expect(() => group.add('b', { cache: {} as never })).toThrow('`cache`')
  expect(() => group.add('b', { cache: new Cache(), dependants: [] } as never)).toThrow(
    '`dependents`',
  )
  await expect(group.invalidate('a', 'k')).rejects.toThrow('`member`')
  await expect(group.invalidate('none', 'k')).rejects.toThrow('`member`')
})

test('content keys are equal for equal content and nothing else', () => {
  expect(contentKey('äx')).toBe(contentKey(Buffer.from('äx')))
  const different = [
    contentKey('ab', 'c'),
    contentKey('a', 'bc'),
    contentKey('abc'),
    contentKey('abc', ''),
    contentKey('\ud800'),
    contentKey('\ufffd'),
    contentKey('\udc00'),
    contentKey(''),
  ]
  expect(new Set(different).size).toBe(different.length)
  expect(contentKey('')).toMatch(/^[\w-]{43}$/)
})

test('a dependent that is none is refused by a typed error that names it', () => {
  const cache = new Cache<string, string>()
  for (const [dependents, option] of [
    ['x', 'dependents'],
    [5, 'dependents'],
    [{}, 'dependents'],
    [[5], 'dependents'],
    [[''], 'dependents.member'],
    [[{ keys: () => [] }], 'dependents.member'],
    [[{ member: 'y', keys: 5 }], 'dependents.keys'],
    [[{ member: 'y', keyz: () => [] }], 'dependents.keyz'],
  ]) {
    const add = () => new CoherenceGroup().add('x', { cache, dependents: dependents as never })
    expect(add).toThrow(expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION', option }))
  }
})

test.each(['keys', 'derivedFrom', 'version'] as const)(
  'an asynchronous `%s` is a failure of its member, and ends no process by its rejection',
  async option => {
    const rejected: unknown[] = []
    const note = (reason: unknown): void => void rejected.push(reason)
    process.on('unhandledRejection', note)
    const fail = (async () => {
      throw new Error('late')
    }) as never
    const group = new CoherenceGroup()
    const [source, made] = [new Cache<string, string>(), new Cache<string, string>()]
    for (const cache of [source, made]) cache.set('a', 'x')
    const keys = option === 'keys' ? fail : (key: string) => [key]
    const derivedFrom =
      option === 'derivedFrom'
        ? fail
        : (_: string, key: string) => [{ member: 'source', key, version: 'x' }]
    const version = option === 'version' ? fail : (value: string) => value
    group.add('source', { cache: source, version, dependents: [{ member: 'made', keys }] })
    group.add('made', { cache: made, derivedFrom })
    const wrong = { member: 'made', error: { code: 'ERR_MILLRACE_INVALID_OPTION' } }
    if (option === 'keys') {
      expect(await group.invalidate('source', 'a')).toMatchObject({ failures: [wrong] })
      expect(made.size).toBe(0)
    } else {
      expect(await group.validate()).toMatchObject({ inconsistencies: [], failures: [wrong] })
      await group.repair()
      expect([source.size, made.size]).toEqual([1, 1])
    }
    await new Promise(resolve => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(rejected).toEqual([])
  },
)
