import { freePort, UpstreamServer, VirtualClock } from '@millrace/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions } from '../index.ts'
import { Peer } from './peer.fixture.ts'

let haproxy: Peer
let backend: UpstreamServer
let url: string
let pool: HttpPool | undefined

/** A path says whether its backend has little time, and a short queue. */
const config = (port: number, backendPort: number): string => `
global
  maxconn 256
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 150ms
  timeout queue 60s
  retries 0
frontend entrance
  bind 127.0.0.1:${port}
  use_backend hurried if { path /slow }
  use_backend narrow if { path /queued }
  default_backend origin
backend origin
  server one 127.0.0.1:${backendPort} maxconn 4
backend hurried
  timeout server 300ms
  server one 127.0.0.1:${backendPort}
backend narrow
  timeout queue 200ms
  server one 127.0.0.1:${backendPort} maxconn 4
`

beforeAll(async () => {
  backend = await UpstreamServer.start()
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  haproxy = await Peer.start(
    'haproxy',
    { 'haproxy.cfg': config(port, backend.port) },
    folder => ['-f', `${folder}/haproxy.cfg`, '-db'],
    port,
  )
})

afterEach(() => pool?.destroy())
afterAll(async () => {
  await haproxy.stop()
  await backend.kill()
})

function makePool(options: HttpPoolOptions = {}): HttpPool {
  pool = new HttpPool(options)
  return pool
}

describe('haproxy', () => {
  // In real time: what is shown is that the server's close and the next request meet.
  test('closes idle connections after 150 ms without a hint: no call notices', async () => {
    backend.on('*', { body: '1' })
    const client = makePool({ retry: { maxAttempts: 1 }, connectionsPerHost: 8 })
    const worker = async (index: number) => {
      for (let i = 0; i < 60; i++) {
        expect(await client.json(`${url}/`)).toBe(1)
        await new Promise(resolve => setTimeout(resolve, 143 + ((i + index) % 14)))
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, index) => worker(index)))
    expect(client.stats()).toMatchObject({ requests: 480, failures: client.stats().resends })
  })

  test('answers 504 for a slow backend: tried again, and the last response is the result', async () => {
    backend.on('/slow', { fault: 'hang' }, { body: '"quick"' })
    // A backend that stands still is slow as well.
    const patient = { maxAttempts: 100, baseDelay: 1, budgetFloor: 1e6, hostTokens: 1e6 }
    await using client = new HttpPool({ retry: patient })
    expect(await client.json(`${url}/slow`)).toBe('quick')
    expect(client.stats().attempts).toBeGreaterThan(1)
    backend.on('/slow', { fault: 'hang' })
    const hasty = makePool({ retry: { baseDelay: 1 } })
    const { statusCode, body } = await hasty.request(`${url}/slow`)
    await body.dump()
    expect(statusCode).toBe(504)
    expect(hasty.stats().attempts).toBe(3)
  })

  test('answers 503 while the backend is down: the breaker spares it', async () => {
    backend.on('*', { body: '1' })
    await backend.kill()
    const clock = new VirtualClock()
    const client = makePool({
      retry: false,
      breaker: { minimumAttempts: 5, cooldown: 200 },
      clock,
    })
    const outcomes = { answered: 0, refused: 0 }
    for (let i = 0; i < 50; i++) {
      await client.request(`${url}/`).then(
        ({ statusCode, body }) => {
          expect(statusCode).toBe(503)
          outcomes.answered++
          return body.dump()
        },
        error => {
          expect(error.code).toBe('ERR_MILLRACE_BREAKER_OPEN')
          outcomes.refused++
        },
      )
    }
    expect(outcomes).toEqual({ answered: 5, refused: 45 })
    await backend.restart()
    const call = async () => {
      clock.advance(200)
      return client.json(`${url}/`).catch(() => 0)
    }
    await expect.poll(call).toBe(1)
  })

  test('queues beyond four requests to the backend and answers 503: retries get through', async () => {
    backend.on('*', { body: '1', latency: 60 })
    const client = makePool({
      connectionsPerHost: 40,
      retry: {
        maxAttempts: 1_000,
        baseDelay: 200,
        maxDelay: 2_000,
        budgetFloor: 1e6,
        hostTokens: 1e6,
      },
    })
    const all = await Promise.all(Array.from({ length: 40 }, () => client.json(`${url}/queued`)))
    expect(all).toEqual(Array(40).fill(1))
    expect(backend.stats().peakActive).toBeLessThanOrEqual(4)
  })
})
