import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StoreUnavailableError } from './contract/errors.ts'
import type { Store } from './contract/store.ts'
import { FsStore } from './fs/fs-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

/** ms for which a call may wait for a process that stands still. */
const BUSY = 30
/** Hung, on whatever machine: a call waits for the lock a few times at most. */
const HUNG = 20_000

const kinds: Record<string, (place: string, other: boolean) => Store<string>> = {
  sqlite: (place, other) =>
    new SqliteStore({
      path: join(place, 'cache.db'),
      busyTimeout: BUSY,
      onProblem() {},
      ...(other && { maxBytes: 500_000, compression: { algorithm: 'brotli', threshold: 1 } }),
    }),
  fs: (place, other) =>
    new FsStore({
      folder: join(place, 'cache'),
      ...(other && { maxBytes: 500_000, compression: { algorithm: 'gzip', threshold: 1 } }),
    }),
}
const invalidations: ((store: Store<string>) => Promise<unknown>)[] = [
  store => store.delete('k'),
  store => store.deleteTag('t'),
  store => store.clear(),
]
const verbs = ['get', 'set', 'setMany', 'delete', 'deleteTag', 'clear', 'sweep', 'open', 'close']

describe.each(Object.entries(kinds))('a %s store of which a process', (kind, open) => {
  let place: string
  let child: ChildProcess | undefined
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'millrace-stopped-'))
  })
  afterEach(async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(place, { recursive: true, force: true })
  })

  /** What a call came to, and that it ended in time. A lock that is held for too long is an error that says so. */
  async function ended<T>(call: () => Promise<T>): Promise<{ value: T } | undefined> {
    const began = performance.now()
    try {
      return { value: await call() }
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailableError)
      return undefined
    } finally {
      expect(performance.now() - began).toBeLessThan(HUNG)
    }
  }

  test.each(verbs)(
    'stands still at any step of %s keeps nobody waiting, and undoes nothing when it goes on',
    async verb => {
      await using one = open(place, false)
      await using two = open(place, true)
      const script = join(import.meta.dirname, 'stopped-process.fixture.ts')
      const started = spawn(
        process.execPath,
        ['--conditions=millrace-source', script, kind, place, verb],
        { stdio: ['pipe', 'pipe', 'inherit'] },
      )
      child = started
      const lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]()
      const line = async (): Promise<string | undefined> => (await lines.next()).value

      let steps = 0
      let acknowledged = 0
      for (; ; steps++) {
        expect(await one.set('k', 'old', { tags: ['t'] })).toBe(true)
        started.stdin.write(`${steps + 1}\n`)
        if ((await line()) !== 'stopped') break

        const invalidate = invalidations[steps % invalidations.length]!
        const done = await ended(() => invalidate(two))
        if (done !== undefined) acknowledged++
        const newcomer = await ended(async () => open(place, true))
        for (const store of [one, two, newcomer?.value]) {
          const found = store && (await ended(() => store.get('k')))
          if (done !== undefined && found !== undefined) expect(found.value).toBe(undefined)
        }
        await ended(async () => newcomer?.value.close())
        const fence = await ended(() => one.fence())

        // Again and again, as it may not stand still quite yet.
        const goOn = setInterval(() => started.kill('SIGCONT'), 5)
        expect(await line()).toBeDefined()
        clearInterval(goOn)
        if (done === undefined) await invalidate(two)
        await using later = open(place, false)
        for (const store of [later, one, two]) {
          expect([steps, (await store.get('k'))?.value]).toEqual([steps, undefined])
        }
        expect(await two.set('new', `${steps}`, { fence: await two.fence() })).toBe(true)
        expect((await one.get('new'))?.value).toBe(`${steps}`)
        expect((await later.get('new'))?.value).toBe(`${steps}`)
        if (fence !== undefined && done === undefined) {
          expect(await one.set('k', 'late', { tags: ['t'], fence: fence.value })).toBe(false)
        }
      }
      expect(steps).toBeGreaterThan(0)
      expect(acknowledged).toBeGreaterThan(0)
    },
  )
})
