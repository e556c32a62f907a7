import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import type { Prepare } from '../../../define.ts'
import { median } from '../../../result/row.ts'
import type { Load } from './generator.ts'

/** A service under load, and what it says of itself afterwards. */
export interface Service {
  readonly listener: RequestListener
  /** Requests counted by its own metrics. */
  counted(): Promise<number>
  /** Hits of its cache by its look-ups. */
  hitRatio(): number
  /** Sends what spans there are. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** Makes the service; spans go to `collector`. */
export type StartService = (collector: string) => Promise<Service>

export interface ServedRun {
  readonly sent: number
  readonly counted: number
  readonly spans: number
  readonly hitRatio: number
}

/**
 * What every service answers. Cheap to make, as the bare server makes it for each request and the services only for a miss: what the
 * bare server spends on it is subtracted from theirs.
 */
export function user(id: string): string {
  return `{"id":"${id}","name":"User ${id}","roles":["reader","writer"],"active":true}`
}

/** The part of the path after `/users/`. */
export function userOf(url: string | undefined): string {
  return (url ?? '').slice('/users/'.length)
}

const bare: RequestListener = (request, response) => {
  const body = user(userOf(request.url))
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(body)
}

type Sample = (send: () => Promise<Load>) => Promise<number>

/** Microseconds of CPU time of this process per request beyond the bare server's. */
export const cpuBeyondBare = (start: StartService): Prepare<ServedRun> =>
  inTurns(start, { subtract: true, warmUp: WARM_UP }, async send => {
    const before = process.cpuUsage()
    const { ok } = await send()
    const { user: own, system } = process.cpuUsage(before)
    return (own + system) / ok
  })

/** Bytes allocated per request beyond the bare server's, by V8's sampling of every 4 kB. */
export const bytesBeyondBare = (start: StartService): Prepare<ServedRun> =>
  inTurns(start, { subtract: true, warmUp: REQUESTS }, async send => {
    const session = new Session()
    session.connect()
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: 4_096,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    } as never)
    const { ok } = await send()
    const { profile } = await session.post('HeapProfiler.stopSampling')
    session.disconnect()
    const { samples } = profile as unknown as { samples: { size: number }[] }
    return samples.reduce((sum, { size }) => sum + size, 0) / ok
  })

/** ms within which 99 % of the requests were answered. */
export const slowestPercentile = (start: StartService): Prepare<ServedRun> =>
  inTurns(start, { subtract: false, warmUp: REQUESTS }, async send => (await send()).p99)

/** Requests of one sample. */
const REQUESTS = 2_000
/**
 * Requests to each server first, in which its code is compiled. A service runs for days; and of ten requests only one is a load, whose
 * code is therefore compiled ten times as late.
 */
const WARM_UP = 50_000

interface TurnOptions {
  /** Whether the bare server's figure is taken off. */
  readonly subtract: boolean
  readonly warmUp: number
}

/**
 * Samples the service and, where its figure is subtracted, the bare server in turn, after a warm-up of both. The figure is the median
 * of the differences of neighbours, so that a machine that becomes slower meanwhile changes both.
 */
function inTurns(
  start: StartService,
  { subtract, warmUp }: TurnOptions,
  sample: Sample,
): Prepare<ServedRun> {
  return async ({ fixture, quick }) => {
    const generator = String(fixture)
    const turns = quick ? 8 : 12
    return {
      async measure() {
        const spansBefore = await spansAt(generator)
        const service = await start(generator)
        const [full, plain] = [await serve(service.listener), await serve(bare)]
        let sent = 0
        const send = async (port: number, requests = REQUESTS): Promise<Load> => {
          const response = await fetch(`${generator}/load?port=${port}&requests=${requests}`)
          const load = (await response.json()) as Load
          // Within the sample: a batch that is exported later would be the bare server's.
          if (port === full.port) {
            sent += load.ok
            await service.flush()
          }
          return load
        }
        for (const { port } of [full, plain]) await send(port, warmUp)
        const samples: number[] = []
        for (let turn = 0; turn < turns; turn++) {
          // No sample pays for the garbage of the one before.
          globalThis.gc?.()
          const floor = subtract ? await sample(() => send(plain.port)) : 0
          globalThis.gc?.()
          samples.push((await sample(() => send(full.port))) - floor)
        }
        const counted = await service.counted()
        const hitRatio = service.hitRatio()
        await service.close()
        full.close()
        plain.close()
        const spans = (await spansAt(generator)) - spansBefore
        return { value: median(samples), result: { sent, counted, spans, hitRatio } }
      },
    }
  }
}

async function spansAt(generator: string): Promise<number> {
  return Number(await (await fetch(`${generator}/spans`)).text())
}

async function serve(listener: RequestListener): Promise<{ port: number; close(): void }> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

export function checkServed({ sent, counted, spans, hitRatio }: ServedRun): void {
  assert.equal(counted, sent)
  assert.equal(spans, sent)
  assert.ok(hitRatio > 0.85 && hitRatio < 0.91, `a hit ratio of ${hitRatio}`)
}
