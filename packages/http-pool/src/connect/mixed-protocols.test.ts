import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { runs, seededRandom, selfSignedCertificate } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpPool } from '../index.ts'

const PER_HOST = 3
const IN_ALL = 4

/** One address, as of a load balancer with an old and a new server behind it: each connection gets the protocol that is its turn. */
let front: Server
let h1: HttpsServer
let h2: Http2SecureServer
let url: string
let pool: HttpPool
let nextIsH2: () => boolean
let answered = { h1: 0, h2: 0 }
let isEnding: () => boolean
const sockets = new Set<Socket>()

beforeEach(async () => {
  answered = { h1: 0, h2: 0 }
  isEnding = () => false
  const certificate = selfSignedCertificate()
  h1 = createHttpsServer(certificate, (request, response) => {
    answered.h1++
    if (isEnding()) response.setHeader('connection', 'close')
    request.resume().on('end', () => response.end(JSON.stringify(request.url)))
  })
  h2 = createSecureServer(certificate, (request, response) => {
    answered.h2++
    // What a client aborts is its to tell of.
    response.stream.on('error', () => {})
    request.resume().on('end', () => {
      // GOAWAY, and the end of the connection after the streams that it has.
      if (isEnding()) response.stream.session?.close()
      if (!response.stream.destroyed) response.end(JSON.stringify(request.url))
    })
  })
  h2.on('session', session => session.on('error', () => {}))
  front = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    ;(nextIsH2() ? h2 : h1).emit('connection', socket)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`
  pool = new HttpPool({
    allowH2: true,
    tls: { ca: certificate.cert },
    connectionsPerHost: PER_HOST,
    totalConnections: IN_ALL,
    // A connection that ends takes up to a hundred requests along, so that many more are repeated here than a storm may.
    retry: { maxAttempts: 20, baseDelay: 1, budget: 1_000, hostTokens: Infinity },
  })
})

afterEach(async () => {
  await pool.destroy()
  for (const socket of sockets) socket.destroy()
  front.close()
})

test.each([
  ['HTTP/1.1', 'HTTP/2', false],
  ['HTTP/2', 'HTTP/1.1', true],
])(
  'an origin that changes from %s to %s between connections is spoken to in either',
  async (_from, _to, startsWithH2) => {
    nextIsH2 = () => startsWithH2
    expect(await pool.json(`${url}/a`)).toBe('/a')
    isEnding = () => true
    expect(await pool.json(`${url}/b`)).toBe('/b')
    await expect.poll(() => sockets.size).toBe(0)
    isEnding = () => false
    nextIsH2 = () => !startsWithH2
    const paths = Array.from({ length: 20 }, (_, i) => `/${i}`)
    expect(await Promise.all(paths.map(path => pool.json(url + path)))).toEqual(paths)
    expect(startsWithH2 ? [answered.h2, answered.h1] : [answered.h1, answered.h2]).toEqual([2, 20])
  },
)

class Mine extends Error {}

test('connections of both protocols side by side: each call gets its own answer, or fails by its own reason', async () => {
  const random = seededRandom(17)
  let connections = 0
  nextIsH2 = () => connections++ % 2 === 0
  isEnding = () => random() < 0.1
  const unexpected: unknown[] = []
  let got = 0
  let mostOpen = 0
  // So many that connections end, whatever the scale.
  const rounds = Math.max(10, runs(20))
  const caller = async (name: number): Promise<void> => {
    for (let i = 0; i < rounds; i++) {
      const mine = new Mine()
      const controller = new AbortController()
      if (random() < 0.2) setTimeout(() => controller.abort(mine), random() * 5)
      const path = `/${name}/${i}`
      const isUpload = random() < 0.5
      try {
        const answer = await pool.json(url + path, {
          signal: controller.signal,
          ...(isUpload ? { method: 'PUT', body: path.repeat(1_000) } : undefined),
        })
        mostOpen = Math.max(mostOpen, pool.stats().connections)
        if (answer === path) got++
        else unexpected.push(answer)
      } catch (error) {
        if (error !== mine) unexpected.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: 40 }, (_, name) => caller(name)))
  expect(unexpected.slice(0, 5)).toEqual([])
  expect(got).toBeGreaterThan(200)
  expect(Math.min(answered.h1, answered.h2)).toBeGreaterThan(0)
  expect(mostOpen).toBeLessThanOrEqual(IN_ALL)
  await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
})
