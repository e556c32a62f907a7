import { MemoryStore } from '@millrace/cache-core/memory'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CachedResponses } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: false })

interface SlowStore {
  readonly slow: object
  /** The languages of what is kept, newest first. */
  kept(): Promise<unknown[]>
}

function store(): SlowStore {
  const memory = new MemoryStore<CachedResponses>()
  // As one over a network: whatever is read is some time old when it is written back.
  const late = <T>(answer: () => T) =>
    new Promise(setImmediate).then(() => new Promise(setImmediate)).then(answer)
  const slow = {
    get: (key: string) => late(() => memory.get(key)),
    set: (key: string, value: CachedResponses, options?: { ttl?: number }) =>
      late(() => memory.set(key, value, options)),
    delete: (key: string) => memory.delete(key),
  }
  const kept = async () => {
    const entry = await memory.get(JSON.stringify([server.origin, '/']))
    return entry?.value.map(({ vary }) => vary?.['accept-language']) ?? []
  }
  return { slow, kept }
}

test('variants of a URL that come at the same time are all kept', async () => {
  server.on('/', ({ headers }) => ({
    body: JSON.stringify(headers['accept-language']),
    cacheControl: 'max-age=60',
    headers: { vary: 'accept-language' },
  }))
  const { slow, kept } = store()
  const pool = makePool({ cache: { store: slow as never } })
  const languages = Array.from({ length: 40 }, (_, i) => `x-${i}`)
  const ask = (language: string) =>
    pool.json(server.url('/'), { headers: { 'accept-language': language } })
  expect(await Promise.all(languages.map(ask))).toEqual(languages)
  await expect.poll(kept).toHaveLength(40)
  expect(await Promise.all(languages.map(ask))).toEqual(languages)
  expect(server.requests).toHaveLength(40)
})

test('of a URL with ever more of them the ones stored first go', async () => {
  server.on('/', ({ headers }) => ({
    body: JSON.stringify(headers['accept-language']),
    cacheControl: 'max-age=60',
    headers: { vary: 'accept-language' },
  }))
  const { slow, kept } = store()
  const pool = makePool({ cache: { store: slow as never } })
  for (let i = 0; i < 70; i++) {
    await pool.json(server.url('/'), { headers: { 'accept-language': `x-${i}` } })
    await expect.poll(async () => (await kept())[0], { interval: 1 }).toBe(`x-${i}`)
  }
  expect(await kept()).toEqual(Array.from({ length: 64 }, (_, i) => `x-${69 - i}`))
})

test('in any order of requests each is answered for the language it asked for', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(5), fc.nat(2), fc.nat(3)), { minLength: 1, maxLength: 30 }),
      async calls => {
        server.on('*', ({ headers, url }) => ({
          body: JSON.stringify([url, headers['accept-language']]),
          cacheControl: 'max-age=60',
          headers: { vary: 'accept-language' },
        }))
        const pool = makePool({ cache: { store: store().slow as never }, coalesce: true })
        const answers: Promise<void>[] = []
        for (const [language, path, pause] of calls) {
          const wanted = [`/${path}`, `x-${language}`]
          const headers = { 'accept-language': wanted[1]! }
          answers.push(
            pool
              .json(server.url(wanted[0]!), { headers })
              .then(answer => expect(answer).toEqual(wanted)),
          )
          for (let i = 0; i < pause; i++) await new Promise(setImmediate)
        }
        await Promise.all(answers)
      },
    ),
    { numRuns: runs(15) },
  )
})
