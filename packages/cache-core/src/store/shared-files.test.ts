import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { runs, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from './contract/store.ts'
import { bytesCodec, type Codec, jsonCodec, structuredCodec } from './format/codec.ts'
import type { CompressionOptions } from './format/compression.ts'
import { FsStore } from './fs/fs-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

type Options = {
  ttl?: number
  clock?: VirtualClock
  codec?: Codec<string>
  compression?: CompressionOptions
  maxBytes?: number
}
const kinds: Record<string, (place: string, options?: Options) => Store<string>> = {
  sqlite: (place, options) =>
    new SqliteStore({ path: join(place, 'cache.db'), onProblem() {}, ...options }),
  fs: (place, options) => new FsStore({ folder: join(place, 'cache'), ...options }),
}

async function replaced(files: string, older: string): Promise<void> {
  await rm(files, { recursive: true })
  await cp(older, files, { recursive: true })
}

describe.each(Object.entries(kinds))('a %s store that several processes use', (kind, open) => {
  let place: string
  let children: ChildProcess[]
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'millrace-shared-'))
    children = []
  })
  afterEach(async () => {
    for (const child of children) {
      child.kill('SIGKILL')
      // What it was writing would come to be in a folder that is being removed.
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    await rm(place, { recursive: true, force: true })
  })

  const start = async (job: string): Promise<ChildProcess> => {
    const child = fork(join(import.meta.dirname, 'shared-files.fixture.ts'), [kind, place, job], {
      execArgv: ['--conditions=millrace-source'],
    })
    children.push(child)
    await once(child, 'message')
    return child
  }

  test(
    'shows no value older than an acknowledged invalidation while others clear, tag and sweep',
    async () => {
      await Promise.all([start('clear'), start('sweep')])
      await using store = open(place)
      const end = Date.now() + 1_500 * runs(1)
      let wrong = 0
      for (let version = 0; Date.now() < end; version++) {
        await store.set('k', `${version}`, { tags: ['t'] })
        await (version % 2 === 0 ? store.deleteTag('t') : store.delete('k'))
        for (let i = 0; i < 20; i++) if ((await store.get('k')) !== undefined) wrong++
      }
      expect(wrong).toBe(0)
    },
    120_000 * runs(1),
  )

  test('notices that its files were removed, and what is invalidated then holds for all', async () => {
    await using first = open(place)
    await first.set('k', 'old')
    const fence = await first.fence()
    for (const name of await readdir(place)) await rm(join(place, name), { recursive: true })
    await using second = open(place)
    await second.set('k', 'new', { tags: ['t'] })
    expect((await first.get('k'))?.value).toBe('new')
    expect(await first.set('k', 'late', { fence })).toBe(false)
    await first.deleteTag('t')
    expect(await second.get('k')).toBe(undefined)
    expect(await second.set('k', 'again')).toBe(true)
    expect((await first.get('k'))?.value).toBe('again')
  })

  test('notices that any one of its files or folders was removed', async () => {
    const names = async () =>
      (await readdir(place, { recursive: true })).filter(name => !/corrupt/.test(name)).sort()
    for (let at = 0; ; at++) {
      await rm(place, { recursive: true })
      await mkdir(place)
      await using first = open(place)
      await using second = open(place)
      await first.set('k', 'old', { tags: ['t'] })
      await second.set('other', 'old')
      const name = (await names())[at]
      if (name === undefined) break
      await rm(join(place, name), { recursive: true })
      await first.delete('k')
      expect([name, await second.get('k')]).toEqual([name, undefined])
      expect([name, await second.set('k', 'new', { tags: ['t'] })]).toEqual([name, true])
      expect([name, (await first.get('k'))?.value]).toEqual([name, 'new'])
      await second.deleteTag('t')
      expect([name, await first.get('k')]).toEqual([name, undefined])
      await first.set('kept', 'value')
      await using third = open(place)
      expect([name, await third.get('k'), (await third.get('kept'))?.value]).toEqual([
        name,
        undefined,
        'value',
      ])
    }
  })

  test.each<[string, (files: string, older: string) => Promise<unknown>]>([
    ['put in the place of the files', (files, older) => replaced(files, older)],
    [
      'put there after a new beginning',
      async (files, older) => {
        await rm(files, { recursive: true })
        await using store = open(files)
        await store.set('between', 'value')
        await replaced(files, older)
      },
    ],
  ])('an older state that is %s brings nothing back', async (_, putBack) => {
    const files = join(place, 'files')
    const older = join(place, 'older')
    await using first = open(files)
    await using second = open(files)
    await first.setMany(
      ['deleted', 'tagged', 'other'].map(key => ({ key, value: 'old', tags: [key] })),
    )
    const early = await first.fence()
    await cp(files, older, { recursive: true })
    await first.delete('deleted')
    await second.deleteTag('tagged')
    const late = await second.fence()
    await putBack(files, older)
    for (const store of [second, first]) {
      expect(await store.getMany(['deleted', 'tagged'])).toEqual([undefined, undefined])
    }
    await using third = open(files)
    expect(await third.getMany(['deleted', 'tagged'])).toEqual([undefined, undefined])
    for (let i = 0; i < 100; i++) await first.set('filler', `${i}`)
    for (const fence of [early, late]) {
      expect(await second.set('deleted', 'late', { fence })).toBe(false)
    }
    expect(await third.set('deleted', 'new')).toBe(true)
    expect((await first.get('deleted'))?.value).toBe('new')
  })

  test('is shared by worker threads, each with an instance of its own, and nothing is lost or stale', async () => {
    const workers = ['a', 'b', 'c'].map(
      name =>
        new Worker(join(import.meta.dirname, 'shared-thread.fixture.ts'), {
          argv: [kind, place, name, '60'],
          execArgv: ['--conditions=millrace-source'],
        }),
    )
    const faults = await Promise.all(
      workers.map(async worker => (await once(worker, 'message'))[0]),
    )
    expect(faults).toEqual([0, 0, 0])
    await using store = open(place)
    for (const name of ['a', 'b', 'c']) expect((await store.get(`${name}:kept`))?.value).toBe(name)
  })

  test(
    'reads nothing torn or wrong after a process was killed in the middle of its writes',
    async () => {
      await using store = open(place)
      for (let round = 0; round < 4 * runs(1); round++) {
        const child = await start('write')
        await sleep(20 + ((round * 7) % 30))
        child.kill('SIGKILL')
        await once(child, 'exit')
        for (let i = 0; i < 20; i++) {
          const value = (await store.get(`k${i}`))?.value
          if (value !== undefined) expect(value).toBe(value[0]!.repeat(20_000))
        }
      }
      expect(store.stats().corrupt).toBe(0)
    },
    120_000 * runs(1),
  )

  test('loses nothing to a reader with another codec, to which it is a counted miss', async () => {
    const reversed: Codec<string> = {
      encode: value => jsonCodec.encode([value]),
      decode: bytes => {
        const decoded = jsonCodec.decode(bytes)
        if (!Array.isArray(decoded)) throw new TypeError('no list')
        return decoded[0] as string
      },
    }
    const codecs = [jsonCodec, structuredCodec, reversed] as readonly Codec<string>[]
    const stores = codecs.map((codec, index) =>
      open(place, {
        codec,
        ...(index === 1 && { compression: { algorithm: 'brotli', threshold: 1 } }),
        ...(index === 2 && { maxBytes: 50_000 }),
      }),
    )
    const [json, structured, list] = stores as [Store<string>, Store<string>, Store<string>]
    await json.set('json', 'v'.repeat(2_000), { tags: ['t'] })
    await structured.set('structured', 'v'.repeat(2_000))
    await list.set('list', 'v', { tags: ['t'] })
    for (let round = 0; round < 2; round++) {
      for (const store of stores) await store.getMany(['json', 'structured', 'list'])
      expect(await list.get('json')).toBeUndefined()
      expect(await json.get('structured')).toBeUndefined()
    }
    expect((await json.get('json'))?.value).toBe('v'.repeat(2_000))
    expect((await structured.get('structured'))?.value).toBe('v'.repeat(2_000))
    expect((await list.get('list'))?.value).toBe('v')
    expect(list.stats().corrupt).toBeGreaterThan(2)
    // One that it can read takes its place, and what the smaller limit refuses replaces nothing of others' but what it outdates.
    expect(await list.set('json', 'mine')).toBe(true)
    expect((await list.get('json'))?.value).toBe('mine')
    await json.deleteTag('t')
    expect(await list.get('list')).toBeUndefined()
    await Promise.all(stores.map(store => store.close()))
  })

  test('hands nobody the bytes of another codec as a value', async () => {
    const bytes = open(place, { codec: bytesCodec as Codec<unknown> as Codec<string> })
    const json = open(place)
    await json.set('k', 'text')
    expect(await bytes.get('k')).toBeUndefined()
    expect(bytes.stats()).toMatchObject({ corrupt: 1, misses: 1 })
    expect((await json.get('k'))?.value).toBe('text')
    await Promise.all([bytes.close(), json.close()])
  })

  test('keeps no value longer when the clock is set back, in this process or across a restart', async () => {
    const clock = new VirtualClock(Date.now())
    const first = open(place, { ttl: 60_000, clock })
    await first.set('k', 'v')
    clock.jumpTo(clock.now() - 3_600_000)
    expect((await first.get('k'))?.value).toBe('v')
    clock.advance(50_000)
    expect((await first.get('k'))?.value).toBe('v')
    await first.close()
    await using second = open(place, { clock: new VirtualClock(clock.now()) })
    expect((await second.get('k'))?.value).toBe('v')
    clock.advance(11_000)
    await using third = open(place, { clock })
    clock.advance(11_000)
    expect(await third.get('k')).toBe(undefined)
  })

  test.each([
    ['while the one that noticed is open', async (first: { close(): Promise<void> }) => first],
    ['when it was closed', async (first: { close(): Promise<void> }) => first.close()],
  ])('tells handles that are opened later of a step of the clock, %s', async (_, end) => {
    const clock = new VirtualClock(Date.now())
    const later = (): VirtualClock => new VirtualClock(clock.now())
    const first = open(place, { ttl: 60_000, clock })
    await first.set('k', 'v')
    await first.set('long', 'v', { ttl: 7_200_000 })
    clock.jumpTo(clock.now() - 3_600_000)
    expect((await first.get('k'))?.value).toBe('v')
    await end(first)
    clock.advance(50_000)
    await using second = open(place, { ttl: 60_000, clock: later() })
    expect((await second.get('k'))?.value).toBe('v')
    await second.set('after', 'v')
    clock.advance(11_000)
    await using third = open(place, { clock: later() })
    expect(await third.get('k')).toBeUndefined()
    expect((await third.get('after'))?.value).toBe('v')
    // Steps add up, and one forth ends none.
    const fourth = open(place, { clock })
    clock.jumpTo(clock.now() - 3_600_000)
    expect(await fourth.get('k')).toBeUndefined()
    await end(fourth)
    clock.advance(50_000)
    await using fifth = open(place, { clock: later() })
    expect(await fifth.getMany(['k', 'after'])).toEqual([undefined, undefined])
    expect((await fifth.get('long'))?.value).toBe('v')
    clock.advance(7_200_000)
    await using sixth = open(place, { clock: later() })
    expect(await sixth.get('long')).toBeUndefined()
    await Promise.all([first.close(), fourth.close()])
  })

  test('tells handles that are opened later of a step, though the files were removed since', async () => {
    const clock = new VirtualClock(Date.now())
    await using first = open(place, { ttl: 60_000, clock })
    await first.set('before', 'v')
    clock.jumpTo(clock.now() - 3_600_000)
    await first.get('before')
    await rm(place, { recursive: true })
    await first.set('k', 'v').catch(() => {})
    await first.set('k', 'v')
    clock.advance(61_000)
    await using second = open(place, { clock: new VirtualClock(clock.now()) })
    expect(await second.get('k')).toBeUndefined()
  })

  test('keeps no value longer when the clock is set forth and back', async () => {
    const clock = new VirtualClock(Date.now())
    const hour = 3_600_000
    await using here = open(place, { ttl: 60_000, clock })
    await using there = open(place, { ttl: 60_000, clock: new VirtualClock(clock.now()) })
    await here.set('before', 'v')
    clock.jumpTo(clock.now() + hour)
    await here.set('k', 'v')
    clock.jumpTo(clock.now() - hour)
    // Whoever meets what was written in the hour ahead goes on from there.
    expect((await there.get('k'))?.value).toBe('v')
    expect((await here.get('k'))?.value).toBe('v')
    clock.advance(60_000)
    expect(await here.getMany(['before', 'k'])).toEqual([undefined, undefined])
    await here.close()
    await using later = open(place, { clock: new VirtualClock(clock.now()) })
    expect(await later.getMany(['before', 'k'])).toEqual([undefined, undefined])
  })
})
