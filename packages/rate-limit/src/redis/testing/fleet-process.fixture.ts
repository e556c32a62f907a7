import { openSync, writeSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { RedisKeyedLimiter } from '../buckets/redis-keyed-limiter.ts'
import { RedisTokenBucket } from '../buckets/redis-token-bucket.ts'
import { RedisPermit } from '../semaphores/redis-permit.ts'
import { RedisSemaphore } from '../semaphores/redis-semaphore.ts'
import { RedisKeyedWindow } from '../windows/redis-keyed-window.ts'
import { RedisSlidingWindow } from '../windows/redis-sliding-window.ts'

/** One limiter of a process of a fleet, and those who call it without end. */
export interface FleetLimiter {
  readonly kind: 'bucket' | 'keyed' | 'window' | 'keyedWindow' | 'semaphore'
  readonly port: number
  readonly callers: number
  /** Those of its class, but for the client. */
  readonly options: Readonly<Record<string, unknown>> & { readonly id: string }
}

export interface FleetPlan {
  /**
   * Where grants are written, a line each as they pass: `G limiter time`; of a semaphore who enters and leaves, or has lost its permit:
   * `E limiter time` and `X limiter time`; and delays of the event loop: `L ms time`.
   */
  readonly log: string
  readonly limiters: readonly FleetLimiter[]
}

/** What a process says when it is told to end. */
export interface FleetEnd {
  /** Calls that never ended. */
  readonly waiting: number
}

const plan: FleetPlan = JSON.parse(process.argv[2]!)
const log = openSync(plan.log, 'a')
/** The monotonic clock that all processes of a machine share, in ms. */
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000
const lag = monitorEventLoopDelay({ resolution: 5 })
lag.enable()
const reporting = setInterval(() => {
  writeSync(log, `L ${lag.max / 1e6} ${now()}\n`)
  lag.reset()
}, 250)

const clients = new Map<number, Redis>()
function clientOf(port: number): Redis {
  const known = clients.get(port)
  if (known !== undefined) return known
  const client = new Redis(port, { retryStrategy: () => 50, autoResendUnfulfilledCommands: false })
  // What follows from it is seen in what passes.
  client.on('error', () => {})
  clients.set(port, client)
  return client
}

interface Called {
  acquire(): Promise<unknown>
  tryAcquire(): Promise<unknown>
  close(): Promise<void>
}

function make({ kind, port, options }: FleetLimiter): Called {
  const all = { ...options, client: clientOf(port) } as never
  if (kind === 'semaphore') {
    const semaphore = new RedisSemaphore(all)
    return {
      acquire: () => semaphore.acquire({ timeout: 1_000 }),
      tryAcquire: () => semaphore.tryAcquire(),
      close: () => semaphore.close(),
    }
  }
  if (kind === 'bucket' || kind === 'window') {
    const single = kind === 'bucket' ? new RedisTokenBucket(all) : new RedisSlidingWindow(all)
    return {
      acquire: () => single.acquire(1, { timeout: 1_000 }),
      tryAcquire: () => single.tryAcquire(),
      close: () => single.close(),
    }
  }
  const keyed = kind === 'keyed' ? new RedisKeyedLimiter(all) : new RedisKeyedWindow(all)
  return {
    acquire: () => keyed.acquire('key', 1, { timeout: 1_000 }),
    tryAcquire: () => keyed.tryAcquire('key'),
    close: () => keyed.close(),
  }
}

let ending = false
let waiting = 0
const limiters = plan.limiters.map(make)

/** Is inside for a while, or until the permit is lost. */
async function hold(index: number, permit: RedisPermit): Promise<void> {
  writeSync(log, `E ${index} ${now().toFixed(3)}\n`)
  await sleep(20 + Math.random() * 200, undefined, { signal: permit.signal }).catch(() => {
    // It is outside then.
  })
  writeSync(log, `X ${index} ${now().toFixed(3)}\n`)
  await permit.release()
}

async function call(index: number, caller: number): Promise<void> {
  const limiter = limiters[index]!
  while (!ending) {
    waiting++
    // A third of them never wait.
    const passing =
      caller % 3 === 0 ? limiter.tryAcquire() : limiter.acquire().then(got => got ?? true)
    const passed = await passing.catch(() => false)
    waiting--
    if (passed instanceof RedisPermit) await hold(index, passed)
    else if (passed) writeSync(log, `G ${index} ${now().toFixed(3)}\n`)
    else await sleep(20)
    // In turn with the others of this process.
    if (caller % 3 === 0) await sleep(10)
  }
}

await Promise.all(Array.from(clients.values(), client => client.ping()))
const calls = plan.limiters.flatMap(({ callers }, index) =>
  Array.from({ length: callers }, (_, caller) => call(index, caller)),
)
process.send!('ready')
process.on('message', async () => {
  ending = true
  await Promise.race([Promise.all(calls), sleep(10_000)])
  await Promise.all(limiters.map(limiter => limiter.close()))
  clearInterval(reporting)
  process.send!({ waiting } satisfies FleetEnd)
  for (const client of clients.values()) client.disconnect()
  process.disconnect()
})
