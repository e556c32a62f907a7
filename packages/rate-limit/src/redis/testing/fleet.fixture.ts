import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FleetEnd, FleetLimiter, FleetPlan } from './fleet-process.fixture.ts'

/** The monotonic clock that all processes of a machine share, in ms. */
export const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000

/** Something that may let more pass than the bound: so much, by what happens in that time. */
export interface Event {
  readonly from: number
  readonly until: number
  readonly cost: number
}

/** For how long a call was inside a semaphore, ms. */
export interface Stay {
  readonly from: number
  readonly until: number
}

/** Real processes that share limits, each writing down what passes. */
export class Fleet implements AsyncDisposable {
  readonly #folder: string
  readonly #logs: string[] = []
  readonly #children = new Set<ChildProcess>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async create(): Promise<Fleet> {
    return new Fleet(await mkdtemp(join(tmpdir(), 'millrace-fleet-')))
  }

  async start(limiters: readonly FleetLimiter[]): Promise<ChildProcess> {
    const log = join(this.#folder, `${this.#logs.length}`)
    this.#logs.push(log)
    const plan: FleetPlan = { log, limiters }
    const child = fork(
      join(import.meta.dirname, 'fleet-process.fixture.ts'),
      [JSON.stringify(plan)],
      { execArgv: ['--conditions=millrace-source'] },
    )
    this.#children.add(child)
    child.on('exit', () => this.#children.delete(child))
    await once(child, 'message')
    return child
  }

  get running(): ChildProcess[] {
    return [...this.#children]
  }

  /** Has a process end in order. @returns calls that never ended */
  async end(child: ChildProcess): Promise<number> {
    child.send('end')
    const [{ waiting }] = (await once(child, 'message')) as [FleetEnd]
    await once(child, 'exit')
    return waiting
  }

  async kill(child: ChildProcess): Promise<void> {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** When calls of each semaphore were inside, and the longest that an event loop stood still. What was killed left with its last word. */
  async inside(limiter: number): Promise<{ stays: Stay[]; lag: number }> {
    const stays: Stay[] = []
    let lag = 0
    for (const log of this.#logs) {
      let at = 0
      const open: number[] = []
      for (const line of (await readFile(log, 'utf8')).split('\n')) {
        const [kind, first, second] = line.split(' ')
        if (!second?.includes('.')) continue
        at = Number(second)
        if (kind === 'L') lag = Math.max(lag, Number(first))
        if (Number(first) !== limiter) continue
        if (kind === 'E') open.push(at)
        // Which of them has left makes no difference to how many are inside.
        if (kind === 'X') stays.push({ from: open.shift()!, until: at })
      }
      for (const from of open) stays.push({ from, until: at })
    }
    return { stays, lag }
  }

  /** What each limiter let pass in all processes, in order, and the longest that an event loop stood still. */
  async passed(limiters: number): Promise<{ times: number[]; lag: number }[]> {
    const passed = Array.from({ length: limiters }, (): number[] => [])
    let lag = 0
    for (const log of this.#logs) {
      for (const line of (await readFile(log, 'utf8')).split('\n')) {
        const [kind, first, second] = line.split(' ')
        if (kind === 'L') lag = Math.max(lag, Number(first))
        // The last line of a process that was killed may be cut off.
        if (kind === 'G' && second?.includes('.')) passed[Number(first)]!.push(Number(second))
      }
    }
    return passed.map(times => ({ times: times.sort((a, b) => a - b), lag }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** The most by which any stretch of time holds more than `burst`, `rate` per second, and what its events allow. O(n²). */
export function mostOver(
  times: readonly number[],
  limits: { burst: number; rate: number },
  events: readonly Event[] = [],
): number {
  let most = -Infinity
  for (const [first, start] of times.entries()) {
    let allowed = limits.burst
    const coming = events.filter(event => event.until >= start).sort((a, b) => a.from - b.from)
    for (let last = first; last < times.length; last++) {
      const end = times[last]!
      while (coming.length > 0 && coming[0]!.from <= end) allowed += coming.shift()!.cost
      most = Math.max(most, last - first + 1 - allowed - ((end - start) * limits.rate) / 1_000)
    }
  }
  return most
}

/** The most permits that any window of that length holds. */
export function mostIn(times: readonly number[], window: number): number {
  let most = 0
  let first = 0
  for (const [last, time] of times.entries()) {
    while (times[first]! <= time - window) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** The most by which more were inside at once than `permits`, and what the events of that time allow; each stay shorter by `slack` ms. */
export function mostInside(
  stays: readonly Stay[],
  permits: number,
  events: readonly Event[] = [],
  slack = 0,
): number {
  const steps = stays
    .filter(({ from, until }) => until - from > slack)
    .flatMap(({ from, until }) => [
      { at: from + slack, by: 1 },
      { at: until, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by)
  let inside = 0
  let most = -Infinity
  for (const { at, by } of steps) {
    inside += by
    let allowed = permits
    for (const { from, until, cost } of events) if (from <= at && at <= until) allowed += cost
    most = Math.max(most, inside - allowed)
  }
  return most
}

/** A port whose connections go to a server that can be changed, as those of a name whose address is. */
export class Switch implements AsyncDisposable {
  readonly port: number
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()
  #target: number

  private constructor(listener: Server, target: number) {
    this.#listener = listener
    this.#target = target
    this.port = (listener.address() as AddressInfo).port
    listener.on('connection', client => {
      const server = connect(this.#target, '127.0.0.1')
      for (const [socket, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(socket)
        socket.pipe(other)
        // Where one end is gone the other has to go as well.
        socket.on('error', () => {})
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
      }
    })
  }

  static async start(target: number): Promise<Switch> {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return new Switch(listener, target)
  }

  /** Breaks all connections; those that come go to another server. */
  to(target: number): void {
    this.#target = target
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.to(0)
    this.#listener.close()
  }
}
