import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { MovableClock, RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import type { Prepare } from '../../../define.ts'
import type { FaultReport, FaultTask, Passage } from './fault-worker.ts'

export type Fault =
  | 'no fault'
  | 'FLUSHALL'
  | 'mixed options'
  | 'process killed'
  | 'Redis paused'
  | 'Redis killed'
  | 'semaphores after a loss'
  | 'clock set forward'
  | 'clock set back'

export interface FaultRun {
  readonly granted: number
  readonly before: number
  readonly after: number
}

const RATE = 200
const BURST = 10
/** Of a key, where there are several. */
const KEY_RATE = 25
const KEYS = 8
const PERMITS = 12
const PROCESSES = 4
const CALLERS = 30
const HOUR = 3_600_000
/** For so long, in ms, limiters that start take themselves for more than they are, as their README says. */
const UNSETTLED = 3_300
const script = fileURLToPath(new URL('./fault-worker.ts', import.meta.url))

interface Fleet {
  readonly clock: MovableClock
  readonly server: RedisServer
  readonly admin: Redis
  readonly processes: readonly ChildProcess[]
  /** Starts another process. */
  join(): Promise<void>
}

const strike: Readonly<Record<Fault, (fleet: Fleet) => unknown>> = {
  'no fault': () => {},
  FLUSHALL: ({ admin }) => admin.flushall(),
  'mixed options': () => {},
  'process killed': ({ processes }) => processes[0]!.kill('SIGKILL'),
  'Redis paused': async ({ server }) => {
    server.pause()
    await sleep(1_500)
    server.resume()
  },
  'Redis killed': async ({ server }) => {
    await server.kill()
    await sleep(1_000)
    await server.restart()
  },
  'semaphores after a loss': ({ admin }) => admin.flushall(),
  'clock set forward': async fleet => {
    await move(fleet, HOUR)
    await fleet.join()
  },
  'clock set back': async fleet => {
    await move(fleet, -HOUR)
    await fleet.join()
  },
}

async function move({ clock, admin }: Fleet, ms: number): Promise<void> {
  await clock.move(ms)
  const [seconds] = await admin.time()
  const moved = Number(seconds) * 1_000 - Date.now()
  if (Math.abs(moved - ms) > 60_000) {
    throw new Error('The clock of the server does not move without libfaketime (Debian: faketime)')
  }
}

const isMoved = (name: Fault) => name.startsWith('clock')

function taskOf(name: Fault, port: number, index: number): FaultTask {
  const shared = { port, callers: CALLERS }
  if (name === 'semaphores after a loss') {
    // In half a lease those inside enter again, in which nobody else does; different leases, as in a deploy.
    const options = { id: 'slots', permits: PERMITS, ttl: index === 0 ? 2_000 : 1_000, poll: 20 }
    return { ...shared, kind: 'semaphore', options }
  }
  if (isMoved(name)) {
    const options = { id: 'users', rate: KEY_RATE, burst: BURST }
    return { ...shared, kind: 'keys', keys: KEYS, options }
  }
  const odd = name === 'mixed options' && index % 2 === 1 ? { maxWait: 400, timeout: 500 } : {}
  return { ...shared, kind: 'bucket', options: { id: 'api', rate: RATE, burst: BURST, ...odd } }
}

/** The most permits that any stretch of time holds beyond the burst and the rate. O(permits). */
function mostPassed(times: readonly number[], rate: number): number {
  let most = 0
  // The least that a stretch which begins here could be short of.
  let least = Infinity
  for (const [index, time] of times.entries()) {
    const due = index - (time * rate) / 1_000
    least = Math.min(least, due)
    most = Math.max(most, due - least + 1 - BURST)
  }
  return most
}

/** The most that were inside at once beyond the permits. */
function mostInside(spans: FaultReport): number {
  const steps = spans.flatMap(([entered, left]) => [
    { at: entered, by: 1 },
    { at: left, by: -1 },
  ])
  steps.sort((one, other) => one.at - other.at || one.by - other.by)
  let inside = 0
  let most = 0
  for (const { by } of steps) {
    inside += by
    most = Math.max(most, inside - PERMITS)
  }
  return most
}

function mostBeyond(name: Fault, passed: readonly Passage[]): number {
  if (name === 'semaphores after a loss') return mostInside(passed)
  const timesOf = (key: number) =>
    passed.filter(([, , of]) => of === key).map(([entered]) => entered)
  if (!isMoved(name)) return mostPassed(timesOf(0), RATE)
  return Math.max(...Array.from({ length: KEYS }, (_, key) => mostPassed(timesOf(key), KEY_RATE)))
}

/** Real time, a real server, processes of their own, and callers that never stop. */
export const fault =
  (name: Fault): Prepare<FaultRun> =>
  async ({ quick }) => ({
    async measure() {
      await using clock = await MovableClock.create()
      const server = isMoved(name) ? await clock.start() : await RedisServer.start()
      const admin = new Redis(server.port)
      admin.on('error', () => {})
      const passed: Passage[] = []
      const processes: ChildProcess[] = []
      const join = async () => {
        const task = JSON.stringify(taskOf(name, server.port, processes.length))
        const process = fork(script, [task], {
          execArgv: ['--conditions=millrace-source', '--no-warnings'],
        })
        processes.push(process)
        process.on('message', (report: FaultReport) => passed.push(...report))
        await once(process, 'message')
      }
      await Promise.all(Array.from({ length: PROCESSES }, join))
      const half = quick ? 1_500 : 4_000
      await sleep(UNSETTLED)
      const settled = passed.length
      await sleep(half)
      const before = passed.length - settled
      await strike[name]({ clock, server, admin, processes, join })
      const struck = passed.length
      // A semaphore that has lost its state stands still for a second.
      await sleep(name === 'semaphores after a loss' ? half + 1_000 : half)
      const after = passed.length - struck
      const living = processes.filter(({ connected }) => connected)
      const exits = living.map(process => once(process, 'exit'))
      for (const process of living) process.send('end')
      await Promise.all(exits)
      admin.disconnect()
      await server.stop()
      passed.sort(([one], [other]) => one - other)
      const value = mostBeyond(name, passed)
      return { value, result: { granted: passed.length, before, after } }
    },
  })
