import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Context, Fixture, Measurement, Prepare } from '../../../define.ts'
import type { WorkerReport, WorkerStart, WorkerTask } from './redis-worker.ts'

export interface SharedRun {
  readonly permits: number
  readonly rate: number
}

const processes = 3
const script = fileURLToPath(new URL('./redis-worker.ts', import.meta.url))

/** A Redis server for one case. */
export async function startRedis(): Promise<Fixture> {
  const { RedisServer } = await import('@millrace/testkit')
  const server = await RedisServer.start()
  return { value: server.port, close: () => server.stop() }
}

async function runWorkers(
  task: Omit<WorkerTask, 'id' | 'port'>,
  { fixture, quick }: Context,
): Promise<{ reports: WorkerReport[]; from: number; end: number }> {
  const duration = quick ? 2_000 : 5_000
  const whole: WorkerTask = { ...task, id: `{${randomUUID()}}`, port: fixture as number }
  const children = Array.from({ length: processes }, () =>
    fork(script, [JSON.stringify(whole)], {
      execArgv: ['--conditions=millrace-source', '--no-warnings'],
    }),
  )
  // However long a busy machine takes to start them.
  await Promise.all(children.map(child => once(child, 'message')))
  const end = Date.now() + 1_000 + duration
  const reports = await Promise.all(
    children.map(async child => {
      child.send({ end } satisfies WorkerStart)
      const [report] = (await once(child, 'message')) as [WorkerReport]
      return report
    }),
  )
  return { reports, from: end - duration * 0.8, end }
}

function rateError(
  library: WorkerTask['library'],
  wanted: number,
  context: Context,
): Measurement<SharedRun> {
  return {
    async measure() {
      const task = { library, rate: wanted, workers: 20 }
      const { reports, from, end } = await runWorkers(task, context)
      const times = reports
        .flatMap(report => report.times)
        .filter(time => time >= from && time < end)
        .sort((a, b) => a - b)
      const rate = ((times.length - 1) * 1_000) / (times.at(-1)! - times[0]!)
      return {
        value: Math.abs(rate / wanted - 1) * 100,
        result: { permits: times.length, rate },
      }
    },
  }
}

/** The error of the rate that three processes reach together. */
export const shared =
  (library: WorkerTask['library'], rate: number): Prepare<SharedRun> =>
  async context =>
    rateError(library, rate, context)

/** Permits per call to Redis, with leases, by three processes that want as many as there are. */
export const permitsPerTrip =
  (rate: number): Prepare<SharedRun> =>
  async context => ({
    async measure() {
      const task = { library: 'ours with leases', rate, workers: 500 } as const
      const { reports, from, end } = await runWorkers(task, context)
      const permits = reports.reduce((sum, { times }) => sum + times.length, 0)
      const trips = reports.reduce((sum, report) => sum + report.trips, 0)
      const counted = reports.flatMap(({ times }) => times.filter(t => t >= from && t < end))
      const measured = (counted.length * 1_000) / (end - from)
      return { value: permits / trips, result: { permits, rate: measured } }
    },
  })
