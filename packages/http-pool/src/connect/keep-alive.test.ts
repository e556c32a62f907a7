import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { runs, seededRandom, UpstreamServer, VirtualClock } from '@millrace/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions } from '../index.ts'
import { Load } from '../testing/load.fixture.ts'
import { IdleLimit } from './idle-limit.ts'

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/**
 * A server that closes each connection when it has been idle for a time that `idle` gives.
 * @param hint what it says of that, in seconds; default nothing
 */
async function impatientServer(idle: () => number, hint?: number): Promise<string> {
  const field = hint === undefined ? '' : `keep-alive: timeout=${hint}\r\n`
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    let timer: NodeJS.Timeout | undefined
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      sockets.delete(socket)
    })
    socket.on('data', () => {
      clearTimeout(timer)
      socket.write(`HTTP/1.1 200 OK\r\n${field}content-length: 1\r\n\r\n1`)
      timer = setTimeout(() => socket.end(), idle())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const pause = (ms: number): Promise<void> =>
  ms < 1 ? Promise.resolve() : new Promise(resolve => setTimeout(resolve, ms))

// In real time: what is shown is that the server's close and the next request meet.
describe('keep-alive races', () => {
  test('a server that closes idle connections at any moment is not seen for idempotent calls', async () => {
    const random = seededRandom(7)
    const url = await impatientServer(() => Math.ceil(random() * 4))
    const workers = 40
    const pool = new HttpPool({ connectionsPerHost: workers, retry: { maxAttempts: 1 } })
    closers.push(() => pool.destroy())
    // The benchmark makes 50,000 of them.
    const calls = runs(2_000)
    let errors = 0
    const worker = async () => {
      for (let i = 0; i < calls / workers; i++) {
        await pool.json(url).catch(() => errors++)
        await pause(random() * 5)
      }
    }
    await Promise.all(Array.from({ length: workers }, worker))
    expect(errors).toBe(0)
    expect(pool.stats()).toMatchObject({ retries: 0, pending: 0, queued: 0, deadlines: 0 })
    // The close and the request did meet.
    expect(pool.stats().resends).toBeGreaterThan(calls / 1_000)
  })
})

test('calls that may not be repeated keep clear of the time at which the server closes', async () => {
  // By themselves, neither ends a connection while the test runs.
  await using server = await UpstreamServer.start({ keepAliveTimeout: 600_000 })
  server.on('*', { body: '1' })
  const clock = new VirtualClock()
  const pool = new HttpPool({ clock })
  closers.push(() => pool.destroy())
  const createdByPost = async () => {
    const { created } = pool.stats()
    await pool.json(server.url('/'), { method: 'POST', body: 'x' })
    return pool.stats().created - created
  }
  for (let i = 0; i < 4; i++) {
    expect(await createdByPost()).toBe(1)
    clock.advance(60)
    await server.restart()
    await expect.poll(() => pool.stats().open).toBe(0)
  }
  expect(await createdByPost()).toBe(1)
  clock.advance(47)
  expect(await createdByPost()).toBe(0)
  clock.advance(48)
  // Four fifths of what is usual: open still, and too old to trust.
  expect(pool.stats().open).toBe(1)
  expect(await createdByPost()).toBe(1)
})

// In real time, as undici's timers are.
describe('an idle connection is kept', () => {
  const patient = () => 60_000

  /** A pool with a connection that has carried one request. */
  async function afterOne(options: HttpPoolOptions, hint?: number): Promise<[HttpPool, string]> {
    const url = await impatientServer(patient, hint)
    const pool = new HttpPool(options)
    closers.push(() => pool.destroy())
    await pool.json(url)
    return [pool, url]
  }

  test('as long as the server says', async () => {
    const [pool, url] = await afterOne({ keepAliveTimeout: 50 }, 600)
    await pause(500)
    expect(pool.stats().open).toBe(1)
    await pool.json(url)
    expect(pool.stats().created).toBe(1)
  })

  test.each<[string, HttpPoolOptions, number?]>([
    ['less the margin', { keepAliveMargin: 599_900 }, 600],
    ['not at all if the margin is more', { keepAliveMargin: 1_000 }, 1],
    ['at most keepAliveMaxTimeout', { keepAliveMaxTimeout: 50 }, 600],
    ['for keepAliveTimeout if the server says nothing', { keepAliveTimeout: 50 }],
  ])('%s', async (_name, options, hint) => {
    const [pool, url] = await afterOne(options, hint)
    // Less than any default, told in pauses: on a machine that stands still time passes by itself.
    for (let pauses = 0; pauses < 60 && pool.stats().open > 0; pauses++) await pause(50)
    expect(pool.stats().open).toBe(0)
    await pool.json(url)
    expect(pool.stats().created).toBe(2)
  })
})

describe('IdleLimit', () => {
  test('is four fifths of what is usual, once there is enough to judge by', () => {
    const limit = new IdleLimit()
    for (const age of [1_000, 1_010, 990]) limit.onClosed(age)
    expect(limit.value).toBe(Infinity)
    limit.onClosed(5)
    expect(limit.value).toBeCloseTo(800)
  })

  test('wears off', () => {
    const limit = new IdleLimit()
    for (let i = 0; i < 4; i++) limit.onClosed(10)
    expect(limit.value).toBe(8)
    for (let i = 0; i < 60; i++) limit.onRetired()
    expect(limit.value).toBeGreaterThan(2_000)
  })
})

test('an upstream that is killed and comes back under load costs no idempotent call', async () => {
  const server = await UpstreamServer.start()
  closers.push(() => server.kill())
  server.on('*', { body: '1', latency: 1 })
  const pool = new HttpPool({
    connectionsPerHost: 10,
    retry: { baseDelay: 40, maxAttempts: 20, budgetFloor: 1_000, hostTokens: 100_000 },
  })
  closers.push(() => pool.destroy())
  const load = new Load(20, () => pool.json(server.url('/')))
  for (let i = 0; i < 5; i++) {
    await load.goesOn(40)
    const { retries } = pool.stats()
    await server.kill()
    await expect.poll(() => pool.stats().retries, { interval: 1 }).toBeGreaterThan(retries + 20)
    await server.restart()
  }
  await load.goesOn(40)
  await load.stop()
  expect(load.failures).toEqual([])
  expect(pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
})
