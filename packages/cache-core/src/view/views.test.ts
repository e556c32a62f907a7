import { everyInterleaving, VirtualClock } from '@millrace/testkit'
import { describe, expect, expectTypeOf, it, vi } from 'vitest'
import { Views } from './views.ts'

interface Track {
  name: string
}

const tracks: Track[] = [{ name: 'drums' }, { name: 'bass' }]

describe('Views', () => {
  it('keeps typed views of one source apart, within one bound and one set of counters', () => {
    const source = new Views({ maxEntries: 256 })
    const trackByIndex = source.view<number, Track>('track by index')
    const allTracks = source.view<'all', Track[]>('all tracks')
    source.use('a1b2')
    const find = vi.fn(({ key }: { key: number }) => tracks[key]!)
    expect(trackByIndex.getOrLoadSync(0, find)).toBe(tracks[0])
    expect(trackByIndex.getOrLoadSync(0, find)).toBe(tracks[0])
    expect(allTracks.getOrLoadSync('all', () => tracks)).toBe(tracks)
    expect(find).toHaveBeenCalledTimes(1)
    expect(source.stats()).toMatchObject({ hits: 1, misses: 2, entries: 2 })
    expect(source.view('all tracks')).toBe(allTracks)
    expectTypeOf(trackByIndex.get(0)).toEqualTypeOf<Track | undefined>()
  })

  it('drops everything at once when the version of the source changes, and nothing when it does not', () => {
    const source = new Views()
    const byIndex = source.view<number, Track>('by index')
    expect(source.use('a')).toBe(true)
    byIndex.set(0, tracks[0]!)
    expect(source.use('a')).toBe(false)
    expect(byIndex.get(0)).toBe(tracks[0])
    expect(source.use('b')).toBe(true)
    expect(source.version).toBe('b')
    expect(source.size).toBe(0)
    expect(source.use(Number.NaN)).toBe(true)
    expect(source.use(Number.NaN)).toBe(false)
  })

  it('never serves what was computed from another version, whenever that changes', async () => {
    const orders = await everyInterleaving(async scheduler => {
      const source = new Views()
      const view = source.view<string, number>('values')
      let tree = 1
      source.use(tree)
      const compute = scheduler.wrap(async () => tree, 'compute')
      const read = async (): Promise<void> => {
        const atLeast = tree
        expect(await view.getOrLoad('k', compute)).toBeGreaterThanOrEqual(atLeast)
        const many = await view.getOrLoadMany(['k', 'l'], async keys => {
          const value = await compute()
          return keys.map(() => value)
        })
        for (const value of many.values()) expect(value).toBeGreaterThanOrEqual(atLeast)
      }
      const done = [
        read(),
        scheduler.defer(() => source.use(++tree), 'change'),
        scheduler.defer(read, 'read'),
      ]
      await scheduler.settle()
      await Promise.all(done)
      expect(view.get('k') ?? tree).toBe(tree)
    })
    expect(orders).toBeGreaterThan(20)
  })

  it('takes any encodable key, compared by content, and mixes up none of them', () => {
    const source = new Views()
    const view = source.view<unknown, number>('values')
    const other = source.view<unknown, number>('others')
    const keys = [
      1,
      '1',
      1n,
      '',
      'd1',
      's',
      '0:s1',
      null,
      undefined,
      -0,
      0,
      { a: 1 },
      { a: '1' },
      ['a'],
    ]
    keys.forEach((key, index) => {
      view.set(key, index)
      other.set(key, -index)
    })
    expect(keys.map(key => view.get(key))).toEqual(keys.map((_, index) => index))
    expect(view.get({ a: 1 })).toBe(11)
    expect(() => view.get(() => 1)).toThrow('contains a function')
  })

  it('clears, expires and matches within one view', async () => {
    const clock = new VirtualClock()
    const source = new Views({ clock, ttl: 1_000, staleIfError: 1_000 })
    const views = Array.from({ length: 12 }, (_, index) =>
      source.view<unknown, number>(`v${index}`),
    )
    const fill = (): void => {
      for (const view of views) for (const key of ['user:1', 'user:2', 'org:1', 7]) view.set(key, 1)
    }
    const counts = (): number[] =>
      views.map(view => ['user:1', 'user:2', 'org:1', 7].filter(key => view.has(key)).length)
    fill()
    views[1]!.clear()
    expect(counts()).toEqual([4, 0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4])
    expect(views[2]!.deleteMatching('user:*')).toBe(2)
    expect(views[3]!.expireMatching('*')).toBe(3)
    views[4]!.clear({ expire: true })
    expect(counts()).toEqual([4, 0, 2, 1, 0, 4, 4, 4, 4, 4, 4, 4])
    const fails = () => Promise.reject(new Error('source is down'))
    expect(await views[4]!.getOrLoad(7, fails)).toBe(1)
    await expect(views[1]!.getOrLoad(7, fails)).rejects.toThrow('source is down')
    fill()
    views[0]!.set('tagged', 1, { tags: ['t'] })
    source.deleteTag('t')
    expect(views[0]!.get('tagged')).toBeUndefined()
    source.clear()
    expect(counts()).toEqual(views.map(() => 0))
  })

  it('matches every string, even one that looks encoded, and refuses patterns that are none', () => {
    const view = new Views().view<string, number>('v')
    view.set('\u0000x', 1).set('undefined', 2).set('', 3)
    expect(view.deleteMatching('*x')).toBe(1)
    expect(() => view.deleteMatching(undefined as never)).toThrow(
      'Expected `pattern` to be a string of 1 to 1000 characters, got undefined',
    )
    expect(() => view.expireMatching('')).toThrow('`pattern`')
    expect(() => view.deleteMatching('x'.repeat(1_001))).toThrow('`pattern`')
    expect([view.get('undefined'), view.get('')]).toEqual([2, 3])
  })

  it('loads many by the keys of the view', async () => {
    const view = new Views().view<{ id: number }, string>('by object')
    const load = vi.fn(
      (keys: readonly { id: number }[]) => new Map(keys.map(key => [key, `${key.id}`])),
    )
    const first = { id: 1 }
    const values = await view.getOrLoadMany([first, { id: 1 }, { id: 2 }], load)
    expect([...values]).toEqual([
      [first, '1'],
      [{ id: 2 }, '2'],
    ])
    expect(load.mock.calls[0]![0]).toEqual([{ id: 1 }, { id: 2 }])
    expect(view.get({ id: 2 })).toBe('2')
  })

  it('passes everything through when switched off', () => {
    const source = new Views({ enabled: false })
    const view = source.view<number, number>('values')
    const load = vi.fn(() => 1)
    source.use(1)
    expect([view.getOrLoadSync(1, load), view.getOrLoadSync(1, load)]).toEqual([1, 1])
    expect(load).toHaveBeenCalledTimes(2)
    expect(source.size).toBe(0)
  })

  it('refuses what is no version, no name and no loader', async () => {
    const source = new Views()
    expect(() => source.use({} as never)).toThrow(
      'Expected `version` to be a string, a number or a bigint, got an object',
    )
    expect(() => source.view(1 as never)).toThrow(
      'Expected `name` to be a string, got a positive integer of 1 digit',
    )
    await expect(source.view('v').getOrLoad(1, 2 as never)).rejects.toThrow('`loader`')
  })
})
