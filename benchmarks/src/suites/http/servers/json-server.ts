import { once } from 'node:events'
import { createServer } from 'node:http'
import { createSecureServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { selfSignedCertificate, UpstreamServer } from '@millrace/testkit'
import type { Fixture } from '../../../define.ts'

/** What a contender is told about the server. */
export interface JsonServer {
  readonly url: string
  /** The certificate to trust, over TLS. */
  readonly certificate?: string
}

const answer = JSON.stringify({ id: 4711, name: 'Ada Lovelace', tags: ['a', 'b', 'c'] })
const keepAliveTimeout = 60_000

/** A plain node:http server on loopback that answers every request with 53 bytes of JSON. */
export async function startJsonServer(): Promise<Fixture> {
  const headers = { 'content-type': 'application/json', 'content-length': answer.length }
  const server = createServer({ keepAliveTimeout }, (_request, response) => {
    response.writeHead(200, headers)
    response.end(answer)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const value: JsonServer = { url: `http://127.0.0.1:${port}/users/4711` }
  const close = (): void => {
    server.close()
    server.closeAllConnections()
  }
  return { value, close }
}

/** The same over TLS. */
export async function startTlsServer(): Promise<Fixture> {
  const server = await UpstreamServer.start({ tls: true, keepAliveTimeout })
  server.on('*', { body: answer, headers: { 'content-type': 'application/json' } })
  const value: JsonServer = { url: server.url('/users/4711'), certificate: server.certificate! }
  return { value, close: () => server.kill() }
}

/** The same over HTTP/2. */
export async function startH2Server(): Promise<Fixture> {
  const { key, cert } = selfSignedCertificate()
  const headers = { 'content-type': 'application/json', 'content-length': answer.length }
  const server = createSecureServer({ key, cert }, (_request, response) => {
    response.writeHead(200, headers)
    response.end(answer)
  })
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', session => sessions.add(session.on('close', () => sessions.delete(session))))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const value: JsonServer = { url: `https://127.0.0.1:${port}/users/4711`, certificate: cert }
  const close = (): void => {
    server.close()
    for (const session of sessions) session.destroy()
  }
  return { value, close }
}

/** Throws unless every answer came whole. */
export function checkAnswers(bytes: number, requests: number): void {
  if (bytes !== requests * answer.length) {
    throw new Error(`Expected ${requests * answer.length} bytes, got ${bytes}`)
  }
}
