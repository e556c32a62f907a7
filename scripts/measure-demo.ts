import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Cache } from '../packages/cache-core/src/index.ts'
import { failOnLostOutput } from '../packages/kit/src/calls/fail-on-lost-output.ts'
import { collectRuntime, instrumentChannels } from '../packages/perf-metrics/src/collect.ts'
import { Dashboard } from '../packages/perf-metrics/src/dashboard.ts'
import { Registry } from '../packages/perf-metrics/src/index.ts'

failOnLostOutput()

/**
 * `node --conditions=millrace-source scripts/measure-demo.ts [page|steady|run]`: what watching costs, in CPU time of processes of their own.
 *
 * - page: a dashboard over the demo's kinds of metrics, without a viewer and with one, in percent of a core; and the same process without a
 *   dashboard, whose runtime metrics take their share however they are looked at
 * - steady: the demo with its own load, `LOAD` look-ups a second (20), against the same with `--no-telemetry`: two processes side by side,
 *   as what a neighbour takes then costs both alike
 *
 * - run: the whole work of a first run, analysing and fetching, against the same with `--no-telemetry`, in turns: CPU time until it is done
 *
 * `SECONDS` (20) is how long each is looked at, `ROUNDS` (5) how often the demo is.
 */
const SECONDS = Number(process.env.SECONDS ?? 20)
const ROUNDS = Number(process.env.ROUNDS ?? 5)
const LOAD = process.env.LOAD ?? '20'

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** ms of CPU time, of all threads, that `work` takes. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

/** Percent of a core that a process with metrics takes: without a dashboard where `viewers` is undefined, or with so many viewers. */
async function page(viewers: number | undefined): Promise<number> {
  const registry = new Registry()
  using _runtime = collectRuntime(registry)
  using _channels = instrumentChannels(registry)
  using cache = new Cache<string, number>({ maxEntries: 1_000 })
  registry.observe('demo_cache', cache)
  const timing = registry.timing('demo_seconds', { labels: ['operation'] })
  for (let i = 0; i < 40; i++) timing.labels({ operation: `operation ${i}` }).record(i)
  using dashboard = viewers === undefined ? undefined : new Dashboard({ registry })
  if (dashboard !== undefined && viewers) {
    const url = await listen(createServer(dashboard.handler()))
    process.send!({ url })
    while (dashboard.stats().clients < viewers) await wait(20)
  }
  await wait(2_000)
  return (await cpuOf(() => wait(SECONDS * 1_000))) / (SECONDS * 10)
}

const self = fileURLToPath(import.meta.url)
const root = join(import.meta.dirname, '..')

/** Runs one measurement in a process of its own. */
async function measured(...args: string[]): Promise<number> {
  const child = fork(self, args, { execArgv: process.execArgv })
  for (;;) {
    const [message] = (await once(child, 'message')) as [{ url?: string; result?: number }]
    if (message.result !== undefined) {
      child.kill()
      return message.result
    }
    get(`${message.url}/events`, response => response.resume()).on('error', () => {})
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** ms of CPU time that all threads of a process have had, by Linux' own count of nanoseconds. */
function cpuTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanoseconds = threads.map(id => {
    const [ran] = readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')
    return Number(ran)
  })
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6
}

/** A demo that serves, with its own load. */
class SteadyDemo implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #folder = mkdtempSync(join(tmpdir(), 'millrace-measure-'))

  constructor(options: readonly string[]) {
    const main = join(root, 'apps/demo/src/main.ts')
    const tree = join(root, 'packages')
    const args = [main, tree, '--port', '0', '--load', LOAD, ...options]
    this.#child = spawn(process.execPath, [...process.execArgv, ...args], {
      env: { ...process.env, INIT_CWD: this.#folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  async serving(): Promise<void> {
    let output = ''
    const { stdout } = this.#child
    for await (const text of stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      output += text
      if (output.includes('Serving on')) break
    }
    stdout!.resume()
  }

  get cpuTime(): number {
    return cpuTime(this.#child.pid!)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGINT')
    await ended
    rmSync(this.#folder, { recursive: true })
  }
}

/** Percent of a core that the demo's steady state takes without metrics and traces, and with them. */
async function steady(): Promise<{ off: number; on: number }> {
  await using plain = new SteadyDemo(['--no-telemetry'])
  await using watched = new SteadyDemo([])
  await Promise.all([plain.serving(), watched.serving()])
  // What is compiled and cached at first is no steady state.
  await wait(SECONDS * 500)
  const before = { off: plain.cpuTime, on: watched.cpuTime }
  await wait(SECONDS * 1_000)
  const share = (time: number) => time / (SECONDS * 10)
  return { off: share(plain.cpuTime - before.off), on: share(watched.cpuTime - before.on) }
}

async function measurePage(): Promise<void> {
  const none = await measured('viewers')
  console.log(`metrics of a process, without a page: ${none.toFixed(2)} % of a core`)
  for (const viewers of ['0', '1']) {
    const share = await measured('viewers', viewers)
    console.log(
      `with a page, viewers: ${viewers}: ${share.toFixed(2)} %, the page ${(share - none).toFixed(2)} %`,
    )
  }
}

async function measureSteady(): Promise<void> {
  const shares: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const { off, on } = await steady()
    shares.push(100 * (on / off - 1))
    console.log(
      `steady state, ${LOAD} look-ups a second: ${off.toFixed(2)} % of a core without, ${on.toFixed(2)} % with metrics and traces`,
    )
  }
  console.log(`metrics and traces: ${median(shares).toFixed(1)} % more CPU (median of ${ROUNDS})`)
}

/** ms of CPU time, of all threads, of a run with nothing cached. */
async function runOnce(options: readonly string[]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-measure-'))
  const main = join(root, 'apps/demo/src/main.ts')
  const child = fork(self, ['once', main, join(root, 'packages'), '--once', ...options], {
    execArgv: process.execArgv,
    env: { ...process.env, INIT_CWD: folder },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [{ result }] = (await once(child, 'message')) as [{ result: number }]
  await once(child, 'exit')
  rmSync(folder, { recursive: true })
  return result
}

async function measureRun(): Promise<void> {
  const shares: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const off = await runOnce(['--no-telemetry'])
    const on = await runOnce([])
    shares.push(100 * (on / off - 1))
    console.log(`a first run: ${off.toFixed(0)} ms of CPU without, ${on.toFixed(0)} ms with`)
  }
  console.log(`metrics and traces: ${median(shares).toFixed(1)} % more CPU (median of ${ROUNDS})`)
}

const [what, of] = process.argv.slice(2)
if (what === 'viewers')
  process.send!({ result: await page(of === undefined ? undefined : Number(of)) })
else if (what === 'once') {
  process.on('exit', () => {
    const { user, system } = process.cpuUsage()
    process.send!({ result: (user + system) / 1_000 })
  })
  process.argv.splice(1, 2)
  await import(process.argv[1]!)
} else {
  const measures = { page: measurePage, steady: measureSteady, run: measureRun }
  for (const [name, measure] of Object.entries(measures)) {
    if (what === undefined || what === name) await measure()
  }
}
