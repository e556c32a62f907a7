import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { HttpPool, HttpTimeoutError } from '../index.ts'

// Run as a process of its own, which nothing may end: many callers of one HTTP/2 server that does what it likes, for
// `seconds`. Prints what went wrong, as JSON.

const seconds = Number(process.argv[2])
const totalTimeout = 1_000
const faults = {
  calls: 0,
  answered: 0,
  foreign: 0,
  uncaught: 0,
  unhandled: 0,
  early: 0,
  late: 0,
  left: 0,
}
const samples: string[] = []
process.on('uncaughtException', error => {
  faults.uncaught++
  samples.push(String(error.stack))
})
process.on('unhandledRejection', error => {
  faults.unhandled++
  samples.push(String((error as Error).stack))
})

/** The longest that the event loop has been held up of late, in ms. */
let lag = 0
let ticked = performance.now()
setInterval(() => {
  const now = performance.now()
  lag = Math.max(lag * 0.98, now - ticked - 5)
  ticked = now
}, 5).unref()

const server = fork(new URL('./http2-storm.fixture.ts', import.meta.url), {
  execArgv: process.execArgv,
})
const [port] = await once(server, 'message')
const pool = new HttpPool({
  tls: { rejectUnauthorized: false },
  allowH2: true,
  connectionsPerHost: 4,
  totalTimeout,
  headersTimeout: 500,
  bodyTimeout: 400,
  retry: false,
})

class Mine extends Error {}

async function* upload(): AsyncGenerator<string> {
  yield 'a'
  await pause(Math.random() * 4)
  yield 'b'.repeat(Math.random() < 0.2 ? 200_000 : 1)
}

async function call(): Promise<void> {
  const controller = new AbortController()
  const mine = new Mine('mine')
  if (Math.random() < 0.3) setTimeout(() => controller.abort(mine), Math.random() * 300)
  const isUpload = Math.random() < 0.4
  const start = performance.now()
  faults.calls++
  try {
    const { body } = await pool.request(`https://127.0.0.1:${port}/`, {
      signal: controller.signal,
      ...(isUpload ? { method: 'POST', body: upload() } : undefined),
    })
    if (isUpload && Math.random() < 0.2) process.nextTick(() => controller.abort(mine))
    if (Math.random() < 0.1) body.destroy()
    else await body.text()
    faults.answered++
  } catch (error) {
    if (error instanceof Mine && error !== mine) {
      faults.foreign++
      samples.push('another caller’s reason')
    }
    const took = performance.now() - start
    if (error instanceof HttpTimeoutError) {
      if (took < error.timeout - 1) faults.early++
    }
  }
  if (performance.now() - start > totalTimeout + 20 + 4 * lag) faults.late++
}

async function caller(end: number): Promise<void> {
  while (performance.now() < end) {
    await call()
    if (Math.random() < 0.2) await pause(Math.random() * 20)
  }
}

const end = performance.now() + seconds * 1_000
await Promise.all(Array.from({ length: Number(process.argv[3] ?? 200) }, () => caller(end)))
for (let i = 0; i < 50 && pool.stats().pending > 0; i++) await pause(20)
const { pending, queued, deadlines } = pool.stats()
faults.left = pending + queued + deadlines
await pool.close()
faults.left += pool.stats().connections
server.disconnect()
console.log(JSON.stringify({ ...faults, samples: samples.slice(0, 5) }))
