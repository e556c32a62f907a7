import { UpstreamServer } from '@millrace/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { HttpPool, HttpPoolOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

// Whoever an origin redirects to is not whom its credentials are for.

const makePool = useUpstream({ retry: false })
let other: UpstreamServer
let secure: UpstreamServer

beforeAll(async () => {
  other = await UpstreamServer.start()
  secure = await UpstreamServer.start({ tls: true })
})

afterAll(async () => {
  await other.kill()
  await secure.kill()
})

beforeEach(() => {
  for (const each of [server, other, secure]) {
    each.requests.length = 0
    each.on('*', { body: '1' })
  }
})

const credentials = {
  authorization: 'Bearer secret',
  cookie: 'session=1',
  'proxy-authorization': 'Basic x',
  'X-Api-Key': 'secret',
}
const names = Object.keys(credentials).map(name => name.toLowerCase())

const sent = (headers: object) => names.filter(name => name in headers)

const moved = (location: string) => ({
  status: 302,
  headers: { location, 'cache-control': 'max-age=60, public' },
})

const cache = { credentials: ['x-api-key'] }
const features: [string, HttpPoolOptions][] = [
  ['cached', { cache }],
  ['cached for one user', { cache: { ...cache, type: 'private' } }],
  ['cached and coalesced', { cache, coalesce: true }],
]

const calls: [string, (pool: HttpPool, url: string) => Promise<unknown>][] = [
  ['request', async (pool, url) => (await pool.request(url, { headers: credentials })).body.dump()],
  ['json', (pool, url) => pool.json(url, { headers: credentials })],
  ['fetch', async (pool, url) => (await pool.fetch(url, { headers: credentials })).text()],
]

/** Names of the same server that are other origins, and other servers. */
const elsewhere: [string, () => { url: string; arrived: () => UpstreamServer['requests'] }][] = [
  ['port', () => ({ url: other.url('/in'), arrived: () => other.requests })],
  ['scheme', () => ({ url: secure.url('/in'), arrived: () => secure.requests })],
  [
    'host',
    () => ({
      url: server.url('/in').replace('127.0.0.1', 'localhost'),
      arrived: () => server.requests.filter(({ url }) => url === '/in'),
    }),
  ],
]

describe.each(features)('%s', (_feature, options) => {
  test.each(calls)('%s takes credentials to no other port, scheme or host', async (_call, send) => {
    const pool = makePool({ ...options, tls: { ca: secure.certificate! } })
    for (const [kind, target] of elsewhere) {
      const { url, arrived } = target()
      server.on(`/out-${kind}`, moved(url))
      server.on(`/within-${kind}`, moved(`/out-${kind}`))
      // The second time the redirects may come from the cache.
      for (let i = 0; i < 2; i++) {
        await send(pool, server.url(`/within-${kind}`))
        await new Promise(setImmediate)
      }
      const own = server.requests.filter(each => each.url.includes(kind))
      expect(own.map(({ headers }) => sent(headers))).toEqual(own.map(() => names))
      expect(arrived().length).toBeGreaterThan(0)
      expect(arrived().flatMap(({ headers }) => sent(headers))).toEqual([])
    }
  })

  test.each(calls)('%s does not get them back on the way back', async (_call, send) => {
    const pool = makePool(options)
    server.on('/out', moved(other.url('/back')))
    other.on('/back', moved(server.url('/home')))
    await send(pool, server.url('/out'))
    const home = server.requests.find(({ url }) => url === '/home')!
    expect(sent(home.headers)).toEqual([])
  })

  test('pages leaves them behind', async () => {
    const pool = makePool(options)
    server.on('/1', { body: '1', headers: { link: `<${other.url('/2')}>; rel="next"` } })
    const statuses: number[] = []
    for await (const page of pool.pages(server.url('/1'), { headers: credentials })) {
      statuses.push(page.statusCode)
    }
    expect(statuses).toEqual([200, 200])
    expect(other.requests.flatMap(({ headers }) => sent(headers))).toEqual([])
  })
})

test('many callers at once each keep their own within the origin, and none beyond it', async () => {
  const pool = makePool({ cache, coalesce: true })
  server.on('/within', { status: 307, headers: { location: '/out' } })
  server.on('/out', { status: 307, headers: { location: other.url('/in') } })
  const callers = Array.from({ length: 40 }, (_, i) => `user-${i % 8}`)
  await Promise.all(
    callers.map(key => pool.json(server.url('/within'), { headers: { 'x-api-key': key } })),
  )
  for (const path of ['/within', '/out']) {
    const asked = server.requests.filter(({ url }) => url === path)
    expect(new Set(asked.map(({ headers }) => headers['x-api-key']))).toEqual(new Set(callers))
  }
  expect(other.requests.length).toBeLessThanOrEqual(new Set(callers).size)
  expect(other.requests.flatMap(({ headers }) => sent(headers))).toEqual([])
})
