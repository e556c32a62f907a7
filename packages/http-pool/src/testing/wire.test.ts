import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Semaphore } from '@millrace/rate-limit'
import { freePort, VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { HttpPool } from '../index.ts'
import { server, useUpstream } from './upstream.fixture.ts'

const makePool = useUpstream({ retry: false })

test('a Location in raw UTF-8 is encoded once', async () => {
  const location = Buffer.from('/gruß?q=日本').toString('latin1')
  const raw = createServer((request, response) => {
    if (request.url === '/') response.writeHead(302, { location }).end()
    else response.end(JSON.stringify(request.url))
  }).listen(0, '127.0.0.1')
  await once(raw, 'listening')
  const url = `http://127.0.0.1:${(raw.address() as AddressInfo).port}/`
  expect(await makePool().json(url)).toBe('/gru%C3%9F?q=%E6%97%A5%E6%9C%AC')
  raw.closeAllConnections()
  raw.close()
})

test('303 after a GET is followed with the same headers', async () => {
  server.on('/a', { status: 303, headers: { location: '/b' } })
  server.on('/b', ({ headers }) => ({ body: JSON.stringify(headers['content-language']) }))
  const headers = { 'content-language': 'de' }
  expect(await makePool().json(server.url('/a'), { headers })).toBe('de')
})

test('303 after a POST becomes a GET without what described its content', async () => {
  server.on('/a', { status: 303, headers: { location: '/b' } })
  server.on('/b', ({ headers, method }) => ({
    body: JSON.stringify([method, headers['content-type'] ?? null]),
  }))
  expect(await makePool().json(server.url('/a'), { json: 1, method: 'POST' })).toEqual([
    'GET',
    null,
  ])
})

test.each([undefined, null])('a header that is %s is left out', async value => {
  server.on('/', ({ headers }) => ({ body: JSON.stringify(headers) }))
  const pool = makePool()
  const headers = { 'x-a': value, 'x-b': 'b' }
  const { body } = await pool.request(server.url('/'), { headers })
  const seen = (await body.json()) as Record<string, string>
  expect(seen['x-b']).toBe('b')
  expect(seen).not.toHaveProperty('x-a')
  expect(await pool.json(server.url('/'), { headers })).not.toHaveProperty('x-a')
})

test.each([
  ['text/event-stream; charset=utf-8', {}, 'ended'],
  ['text/event-stream', { bodyTimeout: 1_000 }, 'ERR_MILLRACE_HTTP_BODY_TIMEOUT'],
  ['text/plain', {}, 'ERR_MILLRACE_HTTP_BODY_TIMEOUT'],
])('a minute of silence in %s with %j: %s', async (type, options, outcome) => {
  const clock = new VirtualClock()
  const silence = Promise.withResolvers<void>()
  server.on('/', {
    headers: { 'content-type': type },
    body: 'data: 1\n\ndata: 2\n\n',
    chunkSize: 9,
    beforePiece: offset => (offset > 0 ? silence.promise : undefined),
  })
  const { body } = await makePool({ clock }).request(server.url('/'), options)
  const parts = body[Symbol.asyncIterator]()
  expect(String((await parts.next()).value)).toBe('data: 1\n\n')
  clock.advance(60_000)
  silence.resolve()
  const ended = (async () => {
    while ((await parts.next()).done !== true);
    return 'ended'
  })().catch(error => error.code)
  expect(await ended).toBe(outcome)
})

test.each(['hook', 'limiter'])(
  'a deadline that a late %s has let pass is the timeout, and no other error',
  async cause => {
    const limiter = new Semaphore({ permits: 1 })
    await limiter.acquire()
    const block = () => {
      const end = performance.now() + 60
      while (performance.now() < end);
    }
    const pool = makePool({
      totalTimeout: 50,
      ...(cause === 'hook' ? { limiter, injectHeaders: block } : undefined),
      ...(cause === 'limiter'
        ? { limiter: { tryAcquire: () => block(), acquire: (o: never) => limiter.acquire(o) } }
        : undefined),
    })
    await expect(pool.request(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_HTTP_TOTAL_TIMEOUT',
      timeout: 50,
    })
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  },
)

test('an acquireTimeout that a late limiter has let pass is the timeout', async () => {
  const block = () => {
    const end = performance.now() + 60
    while (performance.now() < end);
  }
  const limiter = new Semaphore({ permits: 1 })
  await limiter.acquire()
  const pool = makePool({
    acquireTimeout: 50,
    limiter: {
      tryAcquire: () => Promise.resolve(false).then(block),
      acquire: options => limiter.acquire(options),
    },
  })
  await expect(pool.request(server.url('/'))).rejects.toMatchObject({
    code: 'ERR_MILLRACE_HTTP_ACQUIRE_TIMEOUT',
  })
})

test('socketPath leads to a Unix socket', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'http-pool-socket-'))
  const socketPath = join(folder, 's')
  const local = createServer((request, response) => {
    response.end(JSON.stringify([request.url, request.headers.host]))
  }).listen(socketPath)
  await once(local, 'listening')
  // What is said of an origin goes before what is said of all.
  const proxy = `http://127.0.0.1:${await freePort()}`
  await using pool = new HttpPool({ proxy, origins: { 'http://docker.local': { socketPath } } })
  expect(await pool.json('http://docker.local/info')).toEqual(['/info', 'docker.local'])
  expect(pool.stats().origins['http://docker.local']).toMatchObject({ open: 1 })
  local.closeAllConnections()
  local.close()
  await rm(folder, { recursive: true })
})

test('a part of a body is asked for in plain bytes, and one of a compressed body is handed out as it came', async () => {
  server.on('/', ({ headers }) => ({
    status: 206,
    body: JSON.stringify(headers['accept-encoding']),
    headers: { 'content-encoding': 'gzip', 'content-range': 'bytes 0-9/100' },
  }))
  const { statusCode, headers, body } = await makePool({ decompress: true }).request(
    server.url('/'),
    { headers: { range: 'bytes=0-9' } },
  )
  expect([statusCode, headers['content-encoding']]).toEqual([206, 'gzip'])
  expect(await body.json()).toBe('identity')
})
