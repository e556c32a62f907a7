import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { selfSignedCertificate } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpPool } from '../index.ts'

/** One address, as of a load balancer with an old and a new server behind it: each connection gets the protocol that is its turn. */
let front: Server
let h1: HttpsServer
let h2: Http2SecureServer
let url: string
let pool: HttpPool
let nextIsH2: boolean
let answered = { h1: 0, h2: 0 }
let isEnding: boolean
const sockets = new Set<Socket>()

beforeEach(async () => {
  answered = { h1: 0, h2: 0 }
  isEnding = false
  const certificate = selfSignedCertificate()
  h1 = createHttpsServer(certificate, (request, response) => {
    answered.h1++
    if (isEnding) response.setHeader('connection', 'close')
    request.resume().on('end', () => response.end(JSON.stringify(request.url)))
  })
  h2 = createSecureServer(certificate, (request, response) => {
    answered.h2++
    // What a client aborts is its to tell of.
    response.stream.on('error', () => {})
    request.resume().on('end', () => {
      // GOAWAY, and the end of the connection after the streams that it has.
      if (isEnding) response.stream.session?.close()
      if (!response.stream.destroyed) response.end(JSON.stringify(request.url))
    })
  })
  h2.on('session', session => session.on('error', () => {}))
  front = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    ;(nextIsH2 ? h2 : h1).emit('connection', socket)
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  url = `https://127.0.0.1:${(front.address() as AddressInfo).port}`
  pool = new HttpPool({
    allowH2: true,
    tls: { ca: certificate.cert },
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
    nextIsH2 = startsWithH2
    expect(await pool.json(`${url}/a`)).toBe('/a')
    isEnding = true
    expect(await pool.json(`${url}/b`)).toBe('/b')
    await expect.poll(() => sockets.size).toBe(0)
    isEnding = false
    nextIsH2 = !startsWithH2
    const paths = Array.from({ length: 20 }, (_, i) => `/${i}`)
    expect(await Promise.all(paths.map(path => pool.json(url + path)))).toEqual(paths)
    expect(startsWithH2 ? [answered.h2, answered.h1] : [answered.h1, answered.h2]).toEqual([2, 20])
  },
)
