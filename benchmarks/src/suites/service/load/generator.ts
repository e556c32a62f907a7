import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import type { Fixture } from '../../../define.ts'
import { countSpans } from '../../tracer/contenders/count-spans.ts'

const CONNECTIONS = 16
/** Of ten requests, one asks for a user whom nobody asked for before. */
const HOT_USERS = 100

/** What one run of the generator saw. */
export interface Load {
  readonly ok: number
  /** ms from request to answer that 99 % of the requests were within. */
  readonly p99: number
}

/**
 * Client and collector in a process of its own: `GET /load?port=…&requests=…` sends requests and tells how it went, `POST` takes an OTLP
 * export, `GET /spans` tells how many spans have arrived.
 */
export async function startGenerator(): Promise<Fixture> {
  let spans = 0
  let cold = 0
  const server = createServer(async (incoming, response) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://localhost')
    if (incoming.method === 'POST') {
      const parts: Buffer[] = []
      for await (const part of incoming) parts.push(part as Buffer)
      spans += countSpans(Buffer.concat(parts))
      response.end()
    } else if (pathname === '/spans') {
      response.end(String(spans))
    } else {
      const port = Number(searchParams.get('port'))
      const load = await send(port, Number(searchParams.get('requests')), () => cold++)
      response.end(JSON.stringify(load))
    }
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  return {
    value: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function send(port: number, requests: number, nextCold: () => number): Promise<Load> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS })
  const latencies = new Float64Array(requests)
  let started = 0
  let ok = 0
  const connection = async (): Promise<void> => {
    while (started < requests) {
      const i = started++
      const user = i % 10 === 9 ? `cold-${nextCold()}` : `hot-${i % HOT_USERS}`
      const begin = performance.now()
      const { statusCode, body } = await pool.request({ method: 'GET', path: `/users/${user}` })
      const { id } = (await body.json()) as { id: string }
      latencies[i] = performance.now() - begin
      if (statusCode === 200 && id === user) ok++
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  await pool.close()
  assert.equal(ok, requests)
  latencies.sort()
  return { ok, p99: latencies[Math.floor(requests * 0.99)]! }
}
