import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '@millrace/testkit'
import { Agent, request } from 'undici'
import { HttpPool } from '../index.ts'
import { LoopTurns } from './loop-turns.fixture.ts'

// Run as a process of its own, which nothing may end: many callers of one HTTP/2 server that does what it likes.
// Arguments: seconds, callers, whose client it is, and how many answers there have to be, however long they take. Prints what went wrong so far, as JSON, ten times a second and at the end.

export interface StormResult {
  /** Seconds since the start. */
  seconds: number
  calls: number
  answered: number
  /** Calls that failed with the reason of another one's abort. */
  foreign: number
  /** Errors that would have ended the process. */
  uncaught: number
  unhandled: number
  /** Time-outs that came more than 1 ms before their time. */
  early: number
  /** Calls that had not ended when the event loop had come by its timers twice after their deadline. */
  late: number
  /** Requests, deadlines and connections left at the end. */
  left: number
  /** The latest end of a call after its deadline, in ms. */
  latest: number
  /** The longest time between two turns of the event loop, in ms. */
  lag: number
  samples: string[]
}

/** What the storm needs of a client. */
interface StormClient {
  request(
    url: string,
    options: { signal: AbortSignal; method?: 'POST'; body?: AsyncIterable<string> },
  ): Promise<{ body: { text(): Promise<string>; destroy(): unknown } }>
  left(): number
  close(): Promise<unknown>
}

const [seconds = 3, callers = 200] = process.argv.slice(2, 4).map(Number)
const name = process.argv[4] ?? 'pool'
const leastAnswers = Number(process.argv[5] ?? 0)
const totalTimeout = 1_000
const headersTimeout = 500
const bodyTimeout = 400
const connections = 4

function makePool(): StormClient {
  const pool = new HttpPool({
    tls: { rejectUnauthorized: false },
    allowH2: true,
    connectionsPerHost: connections,
    totalTimeout,
    headersTimeout,
    bodyTimeout,
    retry: false,
  })
  return {
    request: (url, options) => pool.request(url, options),
    left: () => {
      const { pending, queued, deadlines } = pool.stats()
      return pending + queued + deadlines
    },
    close: () => pool.close().then(() => (result.left += pool.stats().connections)),
  }
}

function makeUndici(): StormClient {
  const dispatcher = new Agent({
    allowH2: true,
    connect: { rejectUnauthorized: false },
    connections,
    headersTimeout,
    bodyTimeout,
  })
  return {
    request: (url, { signal, body, method = 'GET' }) =>
      request(url, {
        method,
        body: body === undefined ? null : Readable.from(body),
        dispatcher,
        signal: AbortSignal.any([signal, AbortSignal.timeout(totalTimeout)]),
      }),
    left: () => 0,
    close: () => dispatcher.destroy(),
  }
}

const result: StormResult = {
  seconds: 0,
  calls: 0,
  answered: 0,
  foreign: 0,
  uncaught: 0,
  unhandled: 0,
  early: 0,
  late: 0,
  left: 0,
  latest: 0,
  lag: 0,
  samples: [],
}

function note(sample: string): void {
  if (result.samples.length < 5) result.samples.push(sample)
}

process.on('uncaughtException', error => {
  result.uncaught++
  note(String(error.stack))
})
process.on('unhandledRejection', error => {
  result.unhandled++
  note(String((error as Error).stack))
})

class Mine extends Error {}

async function* upload(): AsyncGenerator<string> {
  yield 'a'
  await pause(Math.random() * 4)
  yield 'b'.repeat(Math.random() < 0.2 ? 200_000 : 1)
}

const turns = new LoopTurns()
let over = false
let server: ChildProcess

/** It comes back when it dies: in Node 26.10 an assertion of its own (`Http2Stream::OnTrailers`) ends an HTTP/2 server now and then. */
function serve(port: number): void {
  server = fork(new URL('./http2-storm.fixture.ts', import.meta.url), [String(port)], {
    execArgv: process.execArgv,
  })
  server.once('exit', () => {
    if (!over) serve(port)
  })
}

const port = await freePort()
serve(port)
await once(server!, 'message')
const client = name === 'undici' ? makeUndici() : makePool()

async function call(): Promise<void> {
  const controller = new AbortController()
  const mine = new Mine('mine')
  if (Math.random() < 0.3) setTimeout(() => controller.abort(mine), Math.random() * 300)
  const isUpload = Math.random() < 0.4
  result.calls++
  const start = performance.now()
  const answer = client.request(`https://127.0.0.1:${port}/`, {
    signal: controller.signal,
    ...(isUpload ? { method: 'POST', body: upload() } : undefined),
  })
  // The call began between the two: on a machine that takes the processor away they may be far from each other.
  const deadline = performance.now() + totalTimeout
  try {
    const { body } = await answer
    if (isUpload && Math.random() < 0.2) process.nextTick(() => controller.abort(mine))
    if (Math.random() < 0.1) body.destroy()
    else await body.text()
    result.answered++
  } catch (error) {
    if (error instanceof Mine && error !== mine) {
      result.foreign++
      note('the reason of another caller')
    }
    const { timeout } = error as { timeout?: number }
    if (timeout !== undefined && performance.now() - start < timeout - 1) {
      result.early++
      note(`${(error as Error).message} after ${performance.now() - start} ms`)
    }
  }
  result.latest = Math.max(result.latest, performance.now() - deadline)
  if (turns.since(deadline) > 1) {
    result.late++
    note(`${performance.now() - deadline} ms late, ${turns.since(deadline)} turns`)
  }
}

async function caller(end: number): Promise<void> {
  while (performance.now() < end || result.answered < leastAnswers) {
    await call()
    if (Math.random() < 0.2) await pause(Math.random() * 20)
  }
}

const begin = performance.now()
function print(): void {
  result.seconds = (performance.now() - begin) / 1_000
  result.lag = turns.longest
  console.log(JSON.stringify(result))
}
const report = setInterval(print, 100)
await Promise.all(Array.from({ length: callers }, () => caller(begin + seconds * 1_000)))
for (let i = 0; i < 50 && client.left() > 0; i++) await pause(20)
result.left = client.left()
await client.close()
over = true
if (server!.connected) server!.disconnect()
clearInterval(report)
turns.close()
print()
// What a client leaves behind beyond its end is not the storm's.
if (name === 'undici') process.exit()
