import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { UpstreamServer } from '@millrace/testkit'
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

/** Throws unless every answer came whole. */
export function checkAnswers(bytes: number, requests: number): void {
  if (bytes !== requests * answer.length) {
    throw new Error(`Expected ${requests * answer.length} bytes, got ${bytes}`)
  }
}
