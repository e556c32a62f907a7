import { execFile } from 'node:child_process'
import {
  appendFile,
  cp,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { runs, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { storeContract } from '../contract/suite/store-contract.ts'
import { FsStore } from './fs-store.ts'
import { repeatLastRecord } from './long-journal.fixture.ts'

const run = promisify(execFile)

storeContract('FsStore', {
  runner: { describe, test },
  modelRuns: runs(60),
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-fs-'))
    const clock = new VirtualClock(1_000_000)
    const open = (maxBytes?: number) =>
      new FsStore({ folder: join(folder, `cache-${maxBytes}`), clock, maxBytes })
    const store = open()
    return {
      store,
      advance: ms => clock.advance(ms),
      peer: async () => open(),
      limited: async maxBytes => open(maxBytes),
      remove: async () => {
        await store.close()
        await rm(folder, { recursive: true })
      },
    }
  },
})

describe('FsStore', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-fs-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const files = async () => {
    const names = await readdir(join(folder, 'v3', 'entries'), { recursive: true })
    return names.filter(name => name.length > 60).map(name => join(folder, 'v3', 'entries', name))
  }

  test('values, invalidations and fences outlive the process', async () => {
    const first = new FsStore({ folder })
    await first.set('kept', { n: 1 }, { tags: ['a'] })
    await first.set('gone', 2, { tags: ['b'] })
    const fence = await first.fence()
    await first.deleteTag('b')
    await first.close()
    await using second = new FsStore({ folder })
    expect((await second.get('kept'))?.value).toEqual({ n: 1 })
    expect(await second.get('gone')).toBeUndefined()
    expect(await second.set('gone', 3, { tags: ['b'], fence })).toBe(false)
  })

  test('no key ever becomes part of a path, and the folder is private', async () => {
    await using store = new FsStore({ folder: join(folder, 'private') })
    await store.set('../../outside', 1)
    expect(await readdir(folder)).toEqual(['private'])
    expect((await stat(join(folder, 'private'))).mode & 0o777).toBe(0o700)
  })

  test.each([
    ['cut short', (path: string) => truncate(path, 60)],
    ['empty', (path: string) => truncate(path, 0)],
    [
      'flipped in one bit',
      async (path: string) => {
        const bytes = await readFile(path)
        bytes[bytes.length - 3]! ^= 1
        await writeFile(path, bytes)
      },
    ],
    [
      'of a later format',
      async (path: string) => {
        const bytes = await readFile(path)
        bytes[1] = 3
        await writeFile(path, bytes)
      },
    ],
  ])('a file that is %s is a miss, counted and removed', async (_, damage) => {
    await using store = new FsStore({ folder })
    await store.set('key', 'x'.repeat(100))
    const [path] = await files()
    await damage(path!)
    expect(await store.get('key')).toBeUndefined()
    expect(store.stats()).toMatchObject({ corrupt: 1, misses: 1 })
    expect(await files()).toEqual([])
    await store.set('key', 'again')
    expect((await store.get('key'))?.value).toBe('again')
  })

  test('a torn journal record loses values rather than reviving them', async () => {
    await using store = new FsStore({ folder })
    await store.set('key', 1)
    await appendFile(join(folder, 'v3', 'journal-1'), 'kAAAA')
    await store.delete('other')
    expect(await store.get('key')).toBeUndefined()
    await store.set('key', 2)
    expect((await store.get('key'))?.value).toBe(2)
  })

  test('a journal that is none is replaced, and nothing of which it may have known is served', async () => {
    const before = new FsStore({ folder })
    await before.set('key', 1)
    await writeFile(join(folder, 'v3', 'journal-1'), 'something else')
    await using after = new FsStore({ folder })
    const fence = await before.fence()
    for (const store of [before, after]) expect(await store.get('key')).toBeUndefined()
    expect(after.stats().corrupt).toBe(1)
    expect(await before.set('key', 2, { fence })).toBe(true)
    expect((await after.get('key'))?.value).toBe(2)
    await after.delete('key')
    expect(await before.get('key')).toBeUndefined()
    await before.close()
  })

  test('a flip of any bit of the journal revives nothing, and is counted', async () => {
    await using writer = new FsStore<number>({ folder })
    await writer.set('deleted', 1)
    await writer.set('tagged', 1, { tags: ['t'] })
    await writer.set('stale', 1)
    const journal = join(folder, 'v3', 'journal-1')
    const length = (await stat(journal)).size
    const fence = await writer.fence()
    await writer.expire('stale')
    await writer.deleteTag('t')
    await writer.delete('deleted')
    const bytes = await readFile(journal)
    const bits = Array.from({ length: runs(40) }, (_, run) => (run * 331) % (8 * bytes.length))
    for (const bit of [...bits, 8 * bytes.length - 2]) {
      const copy = `${folder}-${bit}`
      await cp(folder, copy, { recursive: true })
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      await writeFile(join(copy, 'v3', 'journal-1'), damaged)
      await using store = new FsStore<number>({ folder: copy })
      expect(await store.getMany(['deleted', 'tagged'])).toEqual([undefined, undefined])
      expect((await store.get('stale'))?.expires ?? 0).toBe(0)
      expect(store.stats().corrupt).toBeGreaterThan(0)
      for (const [key, tag] of [
        ['deleted', 'u'],
        ['other', 't'],
      ] as const) {
        expect(await store.set(key, 2, { fence, tags: [tag] })).toBe(false)
      }
      expect(await store.set('deleted', 3)).toBe(true)
      expect((await store.get('deleted'))?.value).toBe(3)
      await rm(copy, { recursive: true })
    }
    expect(length).toBeLessThan(bytes.length)
  })

  test('sweep removes what is gone and what died half written, and keeps within maxBytes', async () => {
    const clock = new VirtualClock(Date.now())
    await using store = new FsStore<string>({
      folder,
      maxBytes: 5_000,
      clock,
      sweepInterval: 1_000,
    })
    await store.set('short', 'x', { ttl: 10 })
    await store.set('tagged', 'x', { tags: ['t'] })
    await store.deleteTag('t')
    const leftover = join(folder, 'v3', 'temporary', 'dead')
    await writeFile(leftover, 'half')
    await utimes(leftover, 0, 0)
    clock.advance(1_000)
    expect(await files()).toEqual([])
    expect(await readdir(join(folder, 'v3', 'temporary'))).toEqual([])

    for (let i = 0; i < 10; i++) {
      const known = await files()
      await store.set(`${i}`, 'x'.repeat(900))
      const [added] = (await files()).filter(path => !known.includes(path))
      await utimes(added!, 1_000 + i, 1_000 + i)
    }
    await store.get('0')
    clock.advance(1_000)
    expect(store.stats().evictions).toBe(5)
    expect((await store.get('0'))?.value).toBe('x'.repeat(900))
    expect(await store.get('1')).toBeUndefined()
    expect((await store.get('9'))?.value).toBe('x'.repeat(900))
  })

  test('four processes write and delete the same keys and never read half a value', async () => {
    const script = join(import.meta.dirname, 'fs-writer.fixture.ts')
    const writers = ['a', 'b', 'c', 'd'].map(name =>
      run(process.execPath, ['--conditions=millrace-source', script, folder, name, '100']),
    )
    for (const { stdout } of await Promise.all(writers)) expect(stdout).toBe('done\n')
  })

  test('the journal is rotated, and another instance goes on with it', async () => {
    const clock = new VirtualClock(Date.now())
    const options = { folder, clock, sweepInterval: Infinity }
    await using one = new FsStore<string>(options)
    await using two = new FsStore<string>(options)
    await two.set('kept', 'value', { tags: ['kept'] })
    await two.set('gone', 'value', { tags: ['gone'] })
    const early = await two.fence()
    await one.deleteTag('gone')
    await repeatLastRecord(join(folder, 'v3', 'journal-1'))
    one.sweep()
    const late = await two.fence()
    clock.advance(59_999)
    one.sweep()
    expect(await readdir(join(folder, 'v3'))).toContain('journal-1')
    clock.advance(1)
    one.sweep()
    const [journal, ...more] = (await readdir(join(folder, 'v3'))).filter(name =>
      name.startsWith('journal'),
    )
    expect([journal, more]).toEqual(['journal-2', []])
    expect((await stat(join(folder, 'v3', 'journal-2'))).size).toBeLessThan(140)

    expect((await two.get('kept'))?.value).toBe('value')
    expect(await two.get('gone')).toBeUndefined()
    expect(await two.set('gone', 'old', { tags: ['gone'], fence: early })).toBe(false)
    expect(await two.set('new', 'value', { tags: ['new'], fence: late })).toBe(true)
    await two.deleteTag('kept')
    expect(await one.get('kept')).toBeUndefined()
    expect((await one.get('new'))?.value).toBe('value')
    await using three = new FsStore<string>(options)
    expect(await three.set('kept', 'old', { tags: ['kept'], fence: late })).toBe(false)
  })

  test.each<[string, (store: FsStore<string>) => Promise<unknown>]>([
    ['get', store => store.get('k')],
    ['getMany', async store => (await store.getMany(['k']))[0]],
  ])(
    'a %s between whose looks at file and journal the journal is rotated misses no invalidation',
    async (_, read) => {
      const clock = new VirtualClock(Date.now())
      const options = { folder, clock, sweepInterval: Infinity }
      await using one = new FsStore<string>(options)
      await using two = new FsStore<string>(options)
      await one.set('k', 'old', { tags: ['t'] })
      await repeatLastRecord(join(folder, 'v3', 'journal-1'))
      expect(await two.get('other')).toBeUndefined()
      const { now } = Date
      // Read to note the use of a file when its content is known.
      Date.now = () => {
        Date.now = now
        void one.set('k', 'new', { tags: ['t'] })
        void one.deleteTag('t')
        one.sweep()
        clock.advance(60_000)
        one.sweep()
        return now()
      }
      try {
        expect(await read(two)).toBeUndefined()
      } finally {
        Date.now = now
      }
      expect(await readdir(join(folder, 'v3'))).toContain('journal-2')
    },
  )

  test.each([
    ['linkSync', 'before'],
    ['linkSync', 'after'],
    ['unlinkSync', 'before'],
    ['unlinkSync', 'after'],
  ])(
    'a process killed in the rotation, at %s, %s, leaves nothing lost and nothing revived',
    async (call, when) => {
      const script = join(import.meta.dirname, 'fs-rotation.fixture.ts')
      const child = run(process.execPath, [
        '--conditions=millrace-source',
        script,
        folder,
        call,
        when,
      ])
      await expect(child).rejects.toMatchObject({ signal: 'SIGKILL', stdout: '' })
      await using store = new FsStore<string>({ folder })
      expect(
        (await store.getMany(['kept', 'tagged', 'stale', 'later'])).map(entry => entry?.expires),
      ).toEqual([Infinity, undefined, 0, undefined])
      await store.deleteTag('kept')
      expect(await store.get('kept')).toBeUndefined()
      const journals = (await readdir(join(folder, 'v3'))).filter(name => /^journal/.test(name))
      expect(journals).toEqual(['journal-2'])
      expect((await stat(join(folder, 'v3', 'journal-2'))).size).toBeLessThan(500)
    },
  )

  test('a folder that cannot be made anew is tried again by each call', async () => {
    const place = join(folder, 'deep')
    await using store = new FsStore({ folder: place })
    await store.set('key', 1)
    const fence = await store.fence()
    await rm(place, { recursive: true })
    await writeFile(place, 'in the way')
    for (const call of [
      () => store.get('key'),
      () => store.set('key', 2),
      () => store.deleteTag('t'),
      () => store.clear(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_MILLRACE_STORE_UNAVAILABLE' })
    }
    await rm(place)
    expect(await store.get('key')).toBeUndefined()
    expect(await store.set('key', 'from before', { fence })).toBe(false)
    expect(await store.set('key', 3)).toBe(true)
    await using other = new FsStore({ folder: place })
    expect((await other.get('key'))?.value).toBe(3)
    await other.delete('key')
    expect(await store.get('key')).toBeUndefined()
  })

  test('a folder that cannot be made is a typed error', async () => {
    await writeFile(join(folder, 'file'), '')
    expect(() => new FsStore({ folder: join(folder, 'file', 'cache') })).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_STORE_UNAVAILABLE' }),
    )
    expect(() => new FsStore({ folder: '' })).toThrow(
      'Expected `folder` to be a string that is not empty, got an empty string',
    )
    expect(() => new FsStore({ folder: join(folder, 'a\0b') })).toThrow(
      'Expected `folder` to be a path, without NUL',
    )
  })
})
