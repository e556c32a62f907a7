import { MemoryStore } from '@millrace/cache-core/memory'
import { runs, seededRandom } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CachedResponses, HttpPool } from '../index.ts'
import { freezeClocks, releaseClocks } from '../testing/frozen-clocks.fixture.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

// Cached times are those of the wall clock, which people and daemons move.

const makePool = useUpstream({ retry: false })
const second = 1_000
const lifetime = 60

const kept = (): Promise<unknown> => new Promise(setImmediate)

beforeEach(() => {
  // At the beginning of a second, which is the grain of dates.
  freezeClocks(second * Math.floor(Date.now() / second))
})

afterEach(releaseClocks)

const move = (seconds: number): void => void vi.setSystemTime(Date.now() + seconds * second)

/** Asks for the URL, and for how old the answer is, in seconds; undefined if it came from the origin. */
async function ageOf(pool: HttpPool, path = '/'): Promise<number | undefined> {
  const { headers, body } = await pool.request(server.url(path))
  await body.dump()
  await kept()
  return headers.age === undefined ? undefined : Number(headers.age)
}

describe.each([
  ['memory', () => ({})],
  ['a store', () => ({ store: new MemoryStore<CachedResponses>() })],
])('in %s', (_name, makeCache) => {
  beforeEach(() => {
    server.on('*', () => ({
      body: '1',
      headers: {
        'cache-control': `max-age=${lifetime}`,
        etag: '"v"',
        date: new Date().toUTCString(),
      },
    }))
  })

  test('what was fresh for fifty seconds is no younger for a clock that is set back by forty-five', async () => {
    const pool = makePool({ cache: makeCache() })
    expect(await ageOf(pool)).toBeUndefined()
    move(50)
    expect(await ageOf(pool)).toBe(50)
    move(-45)
    expect(await ageOf(pool)).toBe(50)
    move(15)
    expect(await ageOf(pool)).toBeUndefined()
  })

  test('what has come while the clock was ahead is not used once it is not, nor is it older afterwards', async () => {
    const pool = makePool({ cache: makeCache() })
    move(3_600)
    expect(await ageOf(pool)).toBeUndefined()
    move(-3_600)
    expect(await ageOf(pool)).toBeUndefined()
    move(30)
    expect(await ageOf(pool)).toBe(30)
  })

  test('a step of less than a second makes no age negative', async () => {
    const pool = makePool({ cache: makeCache() })
    await ageOf(pool)
    move(-0.9)
    expect(await ageOf(pool)).toBe(0)
  })

  test('whatever is done to the clock, nothing is used beyond its lifetime', async () => {
    const random = seededRandom(11)
    const pool = makePool({ cache: makeCache() })
    // Forward is time that passes, back is none.
    let time = 0
    const stored = new Map<string, number>()
    let used = 0
    const rounds = 20 + runs(150)
    for (let round = 0; round < rounds; round++) {
      const path = `/${Math.floor(random() * 3)}`
      const chance = random()
      if (chance < 0.4) {
        const step = 1 + Math.floor(random() * 30)
        time += step
        move(step)
      } else if (chance < 0.6) {
        move(-2 - Math.floor(random() * 90))
      }
      const age = await ageOf(pool, path)
      if (age === undefined) {
        stored.set(path, time)
      } else {
        used++
        const real = time - stored.get(path)!
        expect(age).toBe(real)
        expect(real).toBeLessThanOrEqual(lifetime)
      }
    }
    expect(used).toBeGreaterThan(rounds / 8)
  })
})

test('an `Expires` is measured against the date of its response, whatever the clock here says', async () => {
  const pool = makePool({ cache: true })
  for (const ahead of [0, -7_200]) {
    const path = `/${ahead}`
    const now = Date.now()
    const date = (seconds: number) => new Date(now + seconds * second).toUTCString()
    server.on(path, { body: '1', headers: { date: date(0), expires: date(60) } })
    move(ahead)
    expect(await ageOf(pool, path)).toBeUndefined()
    move(59)
    expect(await ageOf(pool, path)).toBeGreaterThanOrEqual(58)
    move(3)
    expect(await ageOf(pool, path)).toBeUndefined()
  }
})
