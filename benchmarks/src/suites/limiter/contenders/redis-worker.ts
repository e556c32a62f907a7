import { once } from 'node:events'
import { Redis } from 'ioredis'

/**
 * One process of several that share a limit: asks for permits in a closed loop and sends back when they came, in ms of
 * the machine's clock, and how often it asked Redis.
 */

export interface WorkerTask {
  readonly port: number
  readonly library: 'ours' | 'ours with leases' | 'bottleneck'
  readonly id: string
  readonly rate: number
  readonly workers: number
}

/** Told once all processes are ready. */
export interface WorkerStart {
  /** When to stop, in ms since 1970. */
  readonly end: number
}

export interface WorkerReport {
  readonly times: readonly number[]
  readonly trips: number
}

interface Shared {
  acquire(): Promise<unknown>
  trips(): number
}

async function connect(task: WorkerTask): Promise<Shared> {
  const client = new Redis(task.port)
  await client.ping()
  const { id, rate } = task
  if (task.library === 'bottleneck') {
    const { default: Bottleneck } = await import('bottleneck')
    const connection = new Bottleneck.IORedisConnection({ Redis, client } as never)
    const scheduler = new Bottleneck({
      id,
      datastore: 'ioredis',
      connection,
      minTime: 1_000 / rate,
    })
    await scheduler.ready()
    return { acquire: () => scheduler.schedule(async () => undefined), trips: () => 0 }
  }
  const { RedisTokenBucket } = await import('@millrace/rate-limit/redis')
  const lease = task.library === 'ours' ? 0 : 100
  const bucket = new RedisTokenBucket({
    client,
    id,
    rate,
    burst: 1,
    leaseTtl: lease,
    timeout: 5_000,
  })
  return { acquire: () => bucket.acquire(), trips: () => bucket.stats().trips }
}

async function main(task: WorkerTask): Promise<void> {
  const shared = await connect(task)
  const now = () => performance.timeOrigin + performance.now()
  const times: number[] = []
  process.send!('ready')
  const [{ end }] = (await once(process, 'message')) as [WorkerStart]
  const work = async () => {
    while (now() < end) {
      await shared.acquire()
      times.push(now())
    }
  }
  for (let i = 0; i < task.workers; i++) void work()
  setTimeout(() => {
    const report: WorkerReport = { times, trips: shared.trips() }
    process.send?.(report, () => process.exit(0))
  }, end - now())
}

await main(JSON.parse(process.argv[2] ?? '') as WorkerTask)
