import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { VirtualClock } from '@millrace/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { HttpPoolOptions, HttpResponse, RequestOptions, ResponseBody } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: false, coalesce: true })

test('one request serves all that are the same', async () => {
  server.on('*', { latency: 20, body: { large: 'x'.repeat(300_000) } })
  const pool = makePool()
  const all = await Promise.all(
    Array.from({ length: 50 }, () => pool.json<{ large: string }>(server.url('/'))),
  )
  expect(all.every(({ large }) => large.length === 300_000)).toBe(true)
  expect(server.requests).toHaveLength(1)
  expect(pool.stats()).toMatchObject({ requests: 1, coalesced: 49, pending: 0 })
  await pool.json(server.url('/'))
  expect(server.requests).toHaveLength(2)
})

describe('a response for one caller alone', () => {
  test.each<Record<string, string>>([
    { 'set-cookie': 'sid=1' },
    { 'cache-control': 'no-store' },
    { 'cache-control': 'max-age=60, Private' },
    { 'cache-control': 'private="set-cookie"' },
    { vary: 'accept, *' },
  ])('goes to the first: the others ask for themselves, all at once: %j', async headers => {
    server.on('*', { latency: 20, headers, body: '1' })
    const pool = makePool()
    const ask = () => pool.json(server.url('/'))
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1])
    expect(server.requests).toHaveLength(3)
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })

  test('is not waited for by those who ask the same in the next two minutes', async () => {
    const clock = new VirtualClock()
    server.on('*', { headers: { 'cache-control': 'no-store' }, body: '1' })
    const pool = makePool({ clock })
    const ask = () => pool.json(server.url('/'))
    await ask()
    await Promise.all([ask(), ask()])
    expect(pool.stats().coalesced).toBe(0)
    clock.advance(120_000)
    await Promise.all([ask(), ask()])
    expect(pool.stats().coalesced).toBe(1)
  })

  test('is that of another who has time, once the first has gone', async () => {
    server.on('*', { latency: 20, headers: { 'set-cookie': 'sid=1' }, body: '1' })
    const pool = makePool()
    const controller = new AbortController()
    const first = pool.json(server.url('/'), { signal: controller.signal }).catch(error => error)
    const second = pool.json(server.url('/'))
    controller.abort(new Error('left'))
    expect(await second).toBe(1)
    expect(await first).toMatchObject({ message: 'left' })
    expect(server.requests).toHaveLength(1)
  })
})

test('other URLs, headers and methods are not the same', async () => {
  server.on('*', { latency: 10, body: '1' })
  const pool = makePool()
  await Promise.all([
    pool.json(server.url('/a')),
    pool.json(server.url('/b')),
    pool.json(server.url('/a'), { headers: { authorization: 'x' } }),
    pool.json(server.url('/a'), { headers: { authorization: 'y' } }),
    pool.json(server.url('/a'), { json: {} }),
    pool.json(server.url('/a'), { json: {} }),
  ])
  expect(server.requests).toHaveLength(6)
})

describe('while an answer is held back', () => {
  const held: ServerResponse[] = []
  const slow = createServer((_request, response) => void held.push(response))
  let url: string

  beforeAll(async () => {
    await once(slow.listen(0, '127.0.0.1'), 'listening')
    url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`
  })

  afterEach(() => held.splice(0))

  afterAll(() => void slow.close())

  test('a deadline is that of its own caller', async () => {
    const clock = new VirtualClock()
    const pool = makePool({ clock })
    const patient = pool.json(url)
    const hurried = pool.json(url, { totalTimeout: 20 }).catch(error => error)
    await expect.poll(() => held.length).toBe(1)
    clock.advance(20)
    expect(await hurried).toMatchObject({ phase: 'total' })
    held[0]!.end('"late"')
    expect(await patient).toBe('late')
  })

  test('each caller has its own total time, however late it joined', async () => {
    const clock = new VirtualClock()
    const pool = makePool({ clock })
    const first = pool.json(url, { totalTimeout: 800 }).catch(error => error)
    await expect.poll(() => held.length).toBe(1)
    clock.advance(700)
    const patient = pool.json(url, { totalTimeout: 800 })
    const unbounded = pool.json(url)
    expect(pool.stats().coalesced).toBe(2)
    clock.advance(100)
    expect(await first).toMatchObject({ phase: 'total', timeout: 800 })
    clock.advance(699)
    held[0]!.end('"late"')
    expect(await Promise.all([patient, unbounded])).toEqual(['late', 'late'])
    expect(held).toHaveLength(1)
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })

  test('no phase ends a caller before its own time, however late it joined', async () => {
    const users = new AsyncLocalStorage<string>()
    const sent: unknown[] = []
    const clock = new VirtualClock()
    const injectHeaders = () => void sent.push(users.getStore())
    const pool = makePool({ clock, headersTimeout: 300, injectHeaders })
    const as = (user: string) => users.run(user, () => pool.json(url).catch(error => error))
    const first = as('1')
    await expect.poll(() => held.length).toBe(1)
    clock.advance(100)
    const [second, third] = [as('2'), as('3')]
    expect(pool.stats().coalesced).toBe(2)
    clock.advance(200)
    expect(await first).toMatchObject({ phase: 'headers', timeout: 300 })
    await expect.poll(() => held.length).toBe(2)
    // Once for the key, and for each attempt in the context of one that waits for it.
    expect(sent).toEqual(['1', '1', '2', '3', '2'])
    clock.advance(299)
    const fourth = as('4')
    clock.advance(1)
    for (const late of [second, third]) expect(await late).toMatchObject({ phase: 'headers' })
    await expect.poll(() => held.length).toBe(3)
    held[2]!.end('"late"')
    expect(await fourth).toBe('late')
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })

  test('nor does the wait for a permit', async () => {
    const clock = new VirtualClock()
    const pool = makePool({
      clock,
      acquireTimeout: 300,
      limiter: { acquire: () => new Promise(() => {}) },
    })
    const get = () => pool.json(url).catch(error => error)
    const first = get()
    clock.advance(200)
    const second = get()
    const ended = vi.fn()
    void second.then(ended)
    clock.advance(100)
    expect(await first).toMatchObject({ phase: 'acquire' })
    clock.advance(299)
    await new Promise(setImmediate)
    expect(ended).not.toHaveBeenCalled()
    clock.advance(1)
    expect(await second).toMatchObject({ phase: 'acquire' })
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })
})

test('attempts are planned for the caller who has most time', async () => {
  server.on('*', 503, { body: '"second"' })
  const clock = new VirtualClock()
  const pool = makePool({ retry: { baseDelay: 100 }, random: () => 1, clock })
  const hurried = pool.json(server.url('/'), { totalTimeout: 40 }).catch(error => error)
  const patient = pool.json(server.url('/'), { totalTimeout: 5_000 })
  await expect.poll(() => pool.stats().retries).toBe(1)
  clock.advance(100)
  expect(await patient).toBe('second')
  expect(await hurried).toMatchObject({ phase: 'total', timeout: 40 })
  expect(server.requests).toHaveLength(2)
})

test("one caller's abort leaves the others alone, the last one's ends the request", async () => {
  server.on('*', { latency: 60, body: '"shared"' })
  const pool = makePool()
  const first = new AbortController()
  const aborted = pool.json(server.url('/'), { signal: first.signal })
  const served = pool.json(server.url('/'))
  first.abort(new Error('first left'))
  await expect(aborted).rejects.toThrow('first left')
  expect(await served).toBe('shared')
  expect(server.requests).toHaveLength(1)

  server.on('*', { fault: 'hang' })
  const controller = new AbortController()
  const all = [1, 2].map(() => pool.json(server.url('/'), { signal: controller.signal }))
  await expect.poll(() => server.requests.length).toBe(2)
  controller.abort(new Error('all left'))
  for (const each of await Promise.allSettled(all)) {
    expect(each).toMatchObject({ status: 'rejected', reason: { message: 'all left' } })
  }
  await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, connections: 0, deadlines: 0 })
})

test('a reader that lags gets all of it, and so do the others', async () => {
  const size = 3_000_000
  server.on('*', { body: Buffer.alloc(size, 'z') })
  const pool = makePool()
  const [slow, fast] = await Promise.all([
    pool.request(server.url('/')),
    pool.request(server.url('/')),
  ])
  expect(server.requests).toHaveLength(1)
  const fastLength = fast.body.bytes().then(bytes => bytes.length)
  let slowLength = 0
  for await (const chunk of slow.body) {
    slowLength += chunk.length
    await new Promise(setImmediate)
  }
  expect([slowLength, await fastLength]).toEqual([size, size])
})

describe('a caller who holds the others up', () => {
  const size = 5_000_000

  /** Two callers of one response, one of whom reads. */
  async function share(options: HttpPoolOptions, send: RequestOptions = {}) {
    server.on('*', { body: Buffer.alloc(size) })
    const pool = makePool(options)
    const requests = [pool.request(server.url('/'), send), pool.request(server.url('/'))]
    const [idle, reader] = (await Promise.all(requests)) as [HttpResponse, HttpResponse]
    expect(server.requests).toHaveLength(1)
    const length = reader.body.bytes().then(bytes => bytes.length)
    // It is paused by what the other has not taken.
    await expect.poll(() => pool.stats().deadlines, { interval: 2 }).toBeGreaterThan(1)
    return { pool, idle, length }
  }

  test.each<[string, (body: ResponseBody, controller: AbortController) => unknown]>([
    ['destroys its body', body => body.destroy()],
    ['dumps it', body => body.dump()],
    ['aborts', (_body, controller) => controller.abort(new Error('left'))],
  ])('lets them go on once it %s', async (_name, leave) => {
    const controller = new AbortController()
    const { pool, idle, length } = await share({}, { signal: controller.signal })
    idle.body.on('error', () => {})
    await leave(idle.body, controller)
    expect(await length).toBe(size)
    await pool.close()
    expect(pool.stats()).toMatchObject({ connections: 0, deadlines: 0 })
  })

  test('is given up after `bodyLeakTimeout`, and nobody else is', async () => {
    const clock = new VirtualClock()
    const { pool, idle, length } = await share({ clock, bodyLeakTimeout: 500 })
    const failed = once(idle.body, 'error')
    clock.advance(500)
    expect(await length).toBe(size)
    expect(await failed).toMatchObject([{ code: 'ERR_MILLRACE_BODY_LEAK', timeout: 500 }])
    await pool.close()
    expect(pool.stats()).toMatchObject({ connections: 0, deadlines: 0 })
  })
})

test('a failure is the failure of all', async () => {
  server.on('*', { fault: 'reset' })
  const pool = makePool()
  const all = await Promise.allSettled([1, 2, 3].map(() => pool.json(server.url('/'))))
  expect(all.every(({ status }) => status === 'rejected')).toBe(true)
  expect(server.requests).toHaveLength(1)
})

test('a request that cannot be begun is joined by none', async () => {
  server.on('*', { body: '1' })
  let faults = 1
  const limiter = { acquire: () => Promise.resolve() }
  const pool = makePool({
    limiter: () => {
      if (faults-- > 0) throw new Error('no limiter yet')
      return limiter
    },
  })
  await expect(pool.json(server.url('/'))).rejects.toThrow('no limiter yet')
  expect(await pool.json(server.url('/'))).toBe(1)
  expect(pool.stats()).toMatchObject({ coalesced: 0, pending: 0, deadlines: 0 })
})
