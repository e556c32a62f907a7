import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TieredCache } from '../tiered/tiered-cache.ts'
import { CoherenceGroup } from './coherence-group.ts'
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
    invalidated: { files: 1, trees: 1, results: 3 },
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
  await group.clear('trees')
  expect([files.size, trees.size, await results.get('b:lint')]).toEqual([0, 0, undefined])
})

test('a circle that leads to ever new keys ends with its members empty', async () => {
  const [one, two] = [new Cache<string, number>(), new Cache<string, number>()]
  two.set('unrelated', 1)
  const next = (key: string) => [`${key.length + Math.random()}`]
  const group = new CoherenceGroup()
    .add('one', { cache: one, dependents: [{ member: 'two', keys: next }] })
    .add('two', { cache: two, dependents: [{ member: 'one', keys: next }] })
  await group.invalidate('one', 'k')
  expect([one.size, two.size]).toEqual([0, 0])
}, 30_000)

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

test('expire leaves stale copies where a member can', async () => {
  const cache = new Cache<string, number>({ staleIfError: 1_000 }).set('k', 1)
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
