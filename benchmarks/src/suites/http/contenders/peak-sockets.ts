import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { Prepare } from '../../../define.ts'

/** What came of {@link calls} calls at once. */
export interface Outcome {
  readonly failures: number
}

const calls = 1_000
const cap = 20

/** Most client sockets at one time, as Node reports them, while 1,000 calls go out to six origins at once. */
export function peakSockets(
  makeGet: () => Promise<(url: string) => Promise<unknown>>,
): Prepare<Outcome> {
  return async ({ fixture }) => {
    const urls = fixture as string[]
    const get = await makeGet()
    return {
      measure: async () => {
        let open = 0
        let peak = 0
        subscribe('net.client.socket', message => {
          peak = Math.max(peak, ++open)
          ;(message as { socket: Socket }).socket.on('close', () => open--)
        })
        const all = await Promise.allSettled(
          Array.from({ length: calls }, (_, i) => get(urls[i % urls.length]!)),
        )
        const failures = all.filter(({ status }) => status === 'rejected').length
        return { value: peak, result: { failures } }
      },
    }
  }
}

export const millraceSockets: Prepare<Outcome> = peakSockets(async () => {
  const { HttpPool } = await import('@millrace/http-pool')
  const pool = new HttpPool({
    totalConnections: cap,
    connectionsPerHost: cap,
    acquireTimeout: Infinity,
  })
  return async url => (await pool.request(url)).body.text()
})

/** As near as undici comes to a cap: one for each origin. */
export const undiciSockets: Prepare<Outcome> = peakSockets(async () => {
  const { Agent, request } = await import('undici')
  const dispatcher = new Agent({ connections: cap })
  return async url => (await request(url, { dispatcher })).body.text()
})
