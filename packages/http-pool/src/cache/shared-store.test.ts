import { MemoryStore } from '@millrace/cache-core/memory'
import { beforeEach, expect, test } from 'vitest'
import type { CachedResponses, HttpPool, HttpPoolOptions, ResponseStore } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

// Pools of other options over one store: what one keeps by its rules is not used by the rules of another.

type HttpCacheOptions = Exclude<NonNullable<HttpPoolOptions['cache']>, boolean>

const makePool = useUpstream({ retry: false })
let store: ResponseStore<CachedResponses>
/** What the pools have had it keep, by key. */
let values: [key: string, value: CachedResponses][]
let control: string

beforeEach(() => {
  const memory = new MemoryStore<CachedResponses>()
  values = []
  store = {
    get: name => memory.get(name),
    delete: name => memory.delete(name),
    set: (name, value, options) => {
      values.push([name, value])
      return memory.set(name, value, options)
    },
  }
  control = 'max-age=60'
  server.on('*', ({ headers }) => ({
    body: JSON.stringify(
      headers['x-api-key'] ?? headers.authorization ?? headers['x-tenant'] ?? '',
    ),
    headers: { 'cache-control': control, 'cdn-cache-control': 'max-age=60' },
  }))
})

const pool = (cache: HttpCacheOptions = {}, options: HttpPoolOptions = {}): HttpPool =>
  makePool({ ...options, cache: { store, ...cache } })

async function ask(from: HttpPool, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await from.json(server.url('/me'), { headers })
  // It is kept after its caller has it.
  await new Promise(setImmediate)
  return answer
}

const key = (value: string) => ({ 'x-api-key': value })
const token = (value: string) => ({ authorization: value })

test('what a private cache has kept is not found by a shared one', async () => {
  control = 'private, max-age=60'
  const own = pool({ type: 'private' })
  expect(await ask(own, key('alice'))).toBe('alice')
  expect(await ask(own, key('alice'))).toBe('alice')
  expect(server.requests).toHaveLength(1)
  expect(await ask(pool(), key('bob'))).toBe('bob')
  expect(server.requests).toHaveLength(2)
})

test.each([
  ['of two users over one store', () => [pool({ type: 'private' }), pool({ type: 'private' })]],
  ['that two users share', () => Array(2).fill(makePool({ cache: { type: 'private' } }))],
])(
  'a private cache %s keeps what was asked for with a token, for that token',
  async (_name, make) => {
    control = 'private, max-age=60'
    const [alice, bob] = make() as [HttpPool, HttpPool]
    for (let i = 0; i < 2; i++) {
      expect(await ask(alice, token('alice'))).toBe('alice')
      expect(await ask(bob, token('bob'))).toBe('bob')
    }
    expect(server.requests).toHaveLength(2)
  },
)

test.each([
  ['first', 0],
  ['second', 1],
])(
  'a pool that names no credentials and asks %s shares nothing with one that does',
  async (_name, turn) => {
    const aware = pool({ credentials: ['X-Api-Key'] })
    const unaware = pool()
    const asked: [HttpPool, string][] = [
      [aware, 'alice'],
      [unaware, 'bob'],
    ]
    for (const [each, who] of turn === 0 ? asked.toReversed() : asked) {
      expect(await ask(each, key(who))).toBe(who)
    }
    expect(await ask(aware, key('alice'))).toBe('alice')
    expect(await ask(aware, key('carol'))).toBe('carol')
    expect(server.requests).toHaveLength(3)
  },
)

test('what nobody was named for answers nobody who is, by a hook or by an option', async () => {
  let tenant: string | undefined
  const hooked = pool(
    {},
    { injectHeaders: headers => void (headers['x-tenant'] = tenant as never) },
  )
  expect(await ask(pool())).toBe('')
  expect(await ask(hooked)).toBe('')
  tenant = 'acme'
  expect(await ask(hooked)).toBe('acme')
  tenant = undefined
  expect(await ask(hooked)).toBe('')
  // A header of the hook's that a caller sets is the hook's affair as well.
  tenant = 'other'
  expect(await ask(hooked, { 'x-tenant': 'acme' })).toBe('acme')
  expect(await ask(hooked, { 'x-tenant': 'own' })).toBe('own')
  const aware = pool({ credentials: ['x-api-key'] })
  expect(await ask(aware)).toBe('')
  expect(await ask(aware, key('alice'))).toBe('alice')
})

test('what a targeted field allows is not found by a pool that does not go by it', async () => {
  control = 'no-store'
  const delivery = pool({ targets: ['CDN-Cache-Control'] })
  await ask(delivery)
  await ask(delivery)
  expect(server.requests).toHaveLength(1)
  await ask(pool())
  expect(server.requests).toHaveLength(2)
})

test('pools of the same options share what they keep, and the credentials that they name do not stand in the store', async () => {
  const make = () => pool({ credentials: ['x-secret'] })
  expect(await ask(make(), { 'x-secret': 'hunter2' })).toBe('')
  expect(await ask(make(), { 'x-secret': 'hunter2' })).toBe('')
  expect(server.requests).toHaveLength(1)
  expect(values).toHaveLength(1)
  expect(JSON.stringify(values)).not.toMatch(/hunter2|x-secret/)
})

test('what a store holds that is no response is a miss, and counts as a failure', async () => {
  await ask(pool())
  const [[name, value]] = values as [[string, CachedResponses]]
  const whole = value[0]!
  const wrong: Record<string, unknown[]> = {
    headers: [null, undefined, 'text'],
    statusCode: [undefined, null, 'x', -1, 1.5, true],
    cachedAt: [null, 5n, 'now', Number.NaN],
    staleAt: [undefined, {}],
    deleteAt: [Number.NaN, '9'],
    body: [undefined, null, [], 7],
  }
  const held = Object.entries(wrong).flatMap(([field, fields]) =>
    fields.map(each => ({ ...whole, [field]: each })),
  )
  for (const each of [null, undefined, 7, 'text', [], ...held]) {
    const store = {
      get: async (key: string) => (key === name ? { value: [each] as never } : undefined),
      delete: async () => true,
      set: async () => true,
    }
    const strange = pool({ store })
    const before = server.requests.length
    expect(await ask(strange)).toBe('')
    expect(server.requests).toHaveLength(before + 1)
    expect(strange.stats().storeFailures).toBeGreaterThan(0)
  }
})
