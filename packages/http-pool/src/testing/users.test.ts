import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MemoryStore } from '@millrace/cache-core/memory'
import { runs, seededRandom } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CachedResponses, HttpPool, type HttpPoolOptions } from '../index.ts'

// Several users behind one pool: what is injected for one decides what the server answers, and no other may get it.

let server: Server
let url: string
let hits: number
const pools: HttpPool[] = []
const user = new AsyncLocalStorage<string>()

beforeEach(async () => {
  hits = 0
  server = createServer(async (request, response) => {
    hits++
    let body = ''
    for await (const chunk of request) body += chunk
    const [, kind, path] = /^\/(flaky|moved)(\/.*)/.exec(request.url!) ?? []
    if (kind === 'moved') {
      response.writeHead(307, { location: path!, 'cache-control': 'max-age=60' }).end()
      return
    }
    if (kind === 'flaky' && hits % 2 === 0) {
      response.writeHead(503, { 'cache-control': 'no-store' }).end()
      return
    }
    if (request.url === '/plain') {
      const { cookie, 'proxy-authorization': proxy, 'x-tenant': tenant } = request.headers
      response.setHeader('cache-control', 'max-age=60')
      setTimeout(() => response.end(String(cookie ?? proxy ?? tenant)), 5)
      return
    }
    const { authorization = '', cookie = '', host = '', 'x-tenant': tenant = '' } = request.headers
    const { 'x-api-key': key } = request.headers
    response.setHeader('cache-control', 'max-age=60')
    // RFC 9111 leaves this to the server, but for authorization.
    response.setHeader('vary', 'cookie, x-tenant')
    // What a user has posted may answer the same user's GET.
    if (request.method === 'POST') response.setHeader('content-location', request.url!)
    setTimeout(() => {
      response.end(
        JSON.stringify({ authorization, cookie, tenant, key, host, body, url: request.url }),
      )
    }, 5)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  await Promise.all(pools.splice(0).map(pool => pool.destroy()))
  server.closeAllConnections()
  server.close()
})

function makePool(options: HttpPoolOptions): HttpPool {
  const pool = new HttpPool(options)
  pools.push(pool)
  return pool
}

const kinds: [string, HttpPoolOptions][] = [
  ['coalescing', { coalesce: true }],
  ['caching', { cache: true }],
  ['caching and coalescing', { cache: true, coalesce: true }],
]

describe.each(kinds)('a %s pool', (_name, options) => {
  test.each(['authorization', 'Cookie', 'X-Tenant'])(
    'gives no user what an injected %s got for another',
    async name => {
      const pool = makePool({
        ...options,
        injectHeaders: headers => {
          headers[name] = user.getStore()!
        },
      })
      const ask = (who: string) =>
        user.run(who, () => pool.json<Record<string, string>>(`${url}/me`))
      const together = await Promise.all(['alice', 'bob', 'carol'].map(ask))
      await new Promise(setImmediate)
      const later = [await ask('alice'), await ask('bob'), await ask('carol')]
      const field = name === 'X-Tenant' ? 'tenant' : name.toLowerCase()
      const seen = [...together, ...later].map(answer => answer[field])
      expect(seen).toEqual(['alice', 'bob', 'carol', 'alice', 'bob', 'carol'])
    },
  )

  test.each<[string, HttpPoolOptions['cache']]>([
    ['Cookie', {}],
    ['Proxy-Authorization', {}],
    ['X-Tenant', { credentials: ['X-Tenant'] }],
  ])(
    'gives no user what was asked for with the %s of another, whatever it varies by',
    async (name, cache) => {
      const pool = makePool({ ...options, ...(options.cache && { cache }) })
      const ask = async (who: string) => {
        const { body } = await pool.request(`${url}/plain`, { headers: { [name]: who } })
        return body.text()
      }
      const together = await Promise.all(['alice', 'bob'].map(ask))
      await new Promise(setImmediate)
      const later = [await ask('carol'), await ask('alice')]
      expect([...together, ...later]).toEqual(['alice', 'bob', 'carol', 'alice'])
      expect(hits).toBe(options.cache ? 3 : 4)
    },
  )

  test('tells what a hook adds apart, whatever a response varies by', async () => {
    const injectHeaders = (headers: Record<string, string>) => {
      headers['x-tenant'] = user.getStore()!
    }
    const pool = makePool({ ...options, injectHeaders })
    const ask = (who: string) =>
      user.run(who, async () => (await pool.request(`${url}/plain`)).body.text())
    const together = await Promise.all(['alice', 'bob'].map(ask))
    await new Promise(setImmediate)
    expect([...together, await ask('carol'), await ask('alice')]).toEqual([
      'alice',
      'bob',
      'carol',
      'alice',
    ])
    expect(hits).toBe(options.cache ? 3 : 4)
  })

  test('tells requests with hosts of their own apart', async () => {
    const pool = makePool(options)
    for (const host of ['a.test', 'b.test', 'a.test']) {
      const headers = { host }
      expect(await pool.json(`${url}/1`, { headers })).toMatchObject({ host })
      await new Promise(setImmediate)
    }
  })

  test('tells GET requests with content apart', async () => {
    const pool = makePool(options)
    for (const body of ['q=1', 'q=2']) {
      expect(await pool.json(`${url}/1`, { method: 'GET', body })).toMatchObject({ body })
      await new Promise(setImmediate)
    }
  })

  test('tells the queries that undici adds to a path apart', async () => {
    const { dispatcher } = makePool(options)
    const { request } = await import('undici')
    const ask = async (user: number) => {
      const { body } = await request(`${url}/q`, { dispatcher, query: { user } })
      return ((await body.json()) as { url: string }).url
    }
    expect(await Promise.all([ask(1), ask(2)])).toEqual(['/q?user=1', '/q?user=2'])
    await new Promise(setImmediate)
    expect([await ask(1), await ask(2)]).toEqual(['/q?user=1', '/q?user=2'])
  })
})

test('a trace context does not keep requests from sharing a response, and each attempt has its own', async () => {
  const attempts: number[] = []
  let id = 0
  const pool = makePool({
    coalesce: true,
    injectHeaders: (headers, { attempt }) => {
      attempts.push(attempt)
      headers.traceparent = `00-${String(++id).padStart(32, '0')}-0000000000000001-01`
      headers['x-attempt'] = String(attempt)
    },
  })
  await Promise.all([1, 2, 3].map(() => pool.json(`${url}/shared`)))
  expect(hits).toBe(1)
  expect(pool.stats().coalesced).toBe(2)
})

describe.each(kinds)('a %s pool', (_name, options) => {
  test('neither keeps nor shares what an attempt asked for as another than was looked up for', async () => {
    const pool = makePool({
      ...options,
      retry: { baseDelay: 0 },
      injectHeaders: (headers, { attempt }) => {
        if (attempt > 1) headers['x-tenant'] = 'B'
      },
    })
    const ask = () => pool.json<{ tenant: string }>(`${url}/flaky/me`)
    // Every second request is refused, so that it is tried again: as B.
    hits = 1
    const askTwice = options.coalesce
      ? () => Promise.all([ask(), ask()])
      : async () => [await ask(), await ask()]
    for (const { tenant } of await askTwice()) expect(tenant).toBe('B')
    expect(hits).toBe(5)
  })
})

test.each([
  ['alone', {}],
  ['coalesced', { coalesce: true }],
  ['cached', { cache: true }],
])('a redirect, %s, is followed in the context of its own caller', async (_name, options) => {
  const pool = makePool({
    ...options,
    connectionsPerHost: 1,
    injectHeaders: headers => {
      headers.authorization = user.getStore()!
    },
  })
  // The first one opens the socket that all share.
  for (const name of ['a', 'b', 'c']) {
    const answer = await user.run(name, () => pool.json(`${url}/moved/p`))
    expect(answer).toMatchObject({ authorization: name, url: '/p' })
    const { fetch, interceptors, request } = await import('undici')
    const dispatcher = pool.dispatcher.compose(interceptors.redirect({ maxRedirections: 1 }))
    const { body } = await user.run(name, () => request(`${url}/moved/q`, { dispatcher }))
    expect(await body.json()).toMatchObject({ authorization: name, url: '/q' })
    const fetched = await user.run(name, () =>
      fetch(`${url}/moved/r`, { dispatcher: pool.dispatcher }),
    )
    expect(await fetched.json()).toMatchObject({ authorization: name, url: '/r' })
  }
})

test('a hook that waits is refused: the request would go out without what it adds', async () => {
  const late = async (headers: Record<string, string>): Promise<void> => {
    await Promise.resolve()
    headers.authorization = 'late'
  }
  for (const options of [{}, { coalesce: true }, { cache: true }]) {
    const pool = makePool({ ...options, injectHeaders: late as never })
    await expect(pool.json(`${url}/`)).rejects.toMatchObject({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'injectHeaders',
    })
    expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
  }
  expect(hits).toBe(0)
})

test.each([
  ['a store', () => ({ store: new MemoryStore<CachedResponses>() })],
  ['memory', () => ({})],
])(
  'fifty users with random requests over %s get what they may get, and nothing else',
  async (_name, makeCache) => {
    const random = seededRandom(7)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
    const pool = makePool({
      cache: makeCache(),
      coalesce: true,
      // Half of the flaky requests fail: each of them is tried again, with the headers of its own user.
      retry: { baseDelay: 0, budgetFloor: 10_000, hostTokens: 1e6, maxAttempts: 20 },
      origins: { [url]: { headers: { 'x-api-key': 'service' } } },
      injectHeaders: headers => {
        const [kind, name] = user.getStore()!.split(' ') as [string, string]
        if (kind !== 'own') headers[kind] = name
        headers.traceparent = `00-${Math.random()}`
      },
    })
    const call = async (i: number): Promise<void> => {
      // Mostly one of a user's own, so that some find what they have asked for before.
      const kinds = ['own', 'authorization', 'cookie', 'x-tenant']
      const kind = random() < 0.8 ? kinds[i % kinds.length]! : pick(kinds)
      const name = `user-${i % 50}`
      const target = `/p${Math.floor(random() * 3)}`
      const path = pick(['', '', '/flaky', '/moved']) + target
      const host = random() < 0.2 ? pick(['a.test', 'b.test']) : undefined
      const method = pick(['GET', 'GET', 'GET', 'POST', 'QUERY'])
      const body = method !== 'GET' || random() < 0.1 ? pick(['one', 'two']) : undefined
      const answer = await user.run(`${kind} ${name}`, () =>
        pool.json<Record<string, string>>(url + path, {
          method,
          retry: true,
          ...(body === undefined ? undefined : { body }),
          headers: {
            host,
            // A caller's own, which has precedence.
            authorization: kind === 'own' ? name : undefined,
            'if-none-match': random() < 0.1 ? '"of-nothing"' : undefined,
          },
        }),
      )
      const field = kind === 'x-tenant' ? 'tenant' : kind === 'own' ? 'authorization' : kind
      const arrived = path.startsWith('/moved') ? target : path
      expect(answer).toMatchObject({
        [field]: name,
        key: 'service',
        url: arrived,
      })
      if (body === undefined) expect(['', 'one', 'two']).toContain(answer.body)
      else expect(answer.body).toBe(body)
      for (const other of ['authorization', 'cookie', 'tenant']) {
        if (other !== field) expect(answer[other]).toBe('')
      }
      expect(answer.host).toBe(host ?? new URL(url).host)
    }
    for (let round = 0; round < 2 + runs(4); round++) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => call(i)))
    }
    const { cached } = pool.stats()
    for (let i = 0; i < 2; i++) {
      const answer = await user.run('cookie user-1', () => pool.json(`${url}/own`))
      expect(answer).toMatchObject({ cookie: 'user-1' })
      await new Promise(setImmediate)
    }
    expect(pool.stats().cached).toBe(cached + 1)
    expect(pool.stats().retries).toBeGreaterThan(0)
  },
)
