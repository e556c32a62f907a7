import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Cache, cached } from '../packages/cache-core/src/index.ts'
import { HttpPool } from '../packages/http-pool/src/index.ts'
import { collectRuntime, instrumentChannels } from '../packages/perf-metrics/src/collect.ts'
import { Dashboard } from '../packages/perf-metrics/src/dashboard.ts'
import { Registry, timed } from '../packages/perf-metrics/src/index.ts'
import { limited, TokenBucket } from '../packages/rate-limit/src/index.ts'
import { instrument } from '../packages/tracer/src/auto.ts'
import { MemoryExporter, Tracer } from '../packages/tracer/src/index.ts'

/**
 * `node --conditions=millrace-source scripts/measure-demo.ts`: what watching costs, in CPU time of a process of its own.
 *
 * - the page: a dashboard over the demo's kinds of metrics, without a viewer and with one, in percent of a core
 * - metrics and tracing: the demo's look-ups (a pool's fetch, cached, limited) with them and without, the rounds in turn
 *
 * `SECONDS` (20) is how long the page is looked at, `ROUNDS` (7) how often the look-ups are repeated. Alone on a machine: a share of some percent is less than what a neighbour changes.
 */
const SECONDS = Number(process.env.SECONDS ?? 20)
const ROUNDS = Number(process.env.ROUNDS ?? 7)
const LOOK_UPS = 40_000
/** Of which so many names are asked for: most look-ups are hits, the rest go over HTTP. */
const NAMES = 2_000

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

/** Percent of a core that a dashboard takes, with so many viewers. */
async function page(viewers: number): Promise<number> {
  const registry = new Registry()
  using _runtime = collectRuntime(registry)
  using _channels = instrumentChannels(registry)
  using cache = new Cache<string, number>({ maxEntries: 1_000 })
  registry.observe('demo_cache', cache)
  const timing = registry.timing('demo_seconds', { labels: ['operation'] })
  for (let i = 0; i < 40; i++) timing.labels({ operation: `operation ${i}` }).record(i)
  using dashboard = new Dashboard({ registry })
  const url = await listen(createServer(dashboard.handler()))
  process.send!({ url })
  if (viewers > 0) {
    while (dashboard.stats().clients < viewers) await wait(20)
  }
  await wait(2_000)
  return (await cpuOf(() => wait(SECONDS * 1_000))) / (SECONDS * 10)
}

/** ms of CPU time that a round of look-ups takes. */
async function lookUps(upstream: string, watched: boolean): Promise<number> {
  using metrics = new Registry()
  await using tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
  using watching = new DisposableStack()
  if (watched) {
    watching.use(collectRuntime(metrics))
    watching.use(instrumentChannels(metrics))
    watching.use(instrument(tracer, { httpServer: false, httpClient: false, undici: false }))
  }
  await using pool = new HttpPool({ connectionsPerHost: 8 })
  using limiter = new TokenBucket({ rate: 1e6, burst: 1e6 })
  const fetched = cached({ maxEntries: NAMES / 2, ttl: 60_000 })(async (name: string) =>
    pool.json(`${upstream}/${name}`),
  )
  const plain = limited(limiter)(fetched)
  const lookUp = watched
    ? tracer.traced({ name: 'look up' })(timed(metrics.timing('look_up_seconds'))(plain))
    : plain
  let random = 1
  const next = () => {
    random = (random * 48_271) % 2_147_483_647
    return `package-${Math.floor((random / 2_147_483_647) ** 2 * NAMES)}`
  }
  const round = async () => {
    for (let i = 0; i < LOOK_UPS; i += 50) {
      await Promise.all(Array.from({ length: 50 }, () => lookUp(next())))
    }
  }
  await round()
  return await cpuOf(round)
}

const self = fileURLToPath(import.meta.url)

/** Runs one measurement in a process of its own. */
async function measured(...args: string[]): Promise<number> {
  const child = fork(self, args, { execArgv: process.execArgv })
  for (;;) {
    const [message] = (await once(child, 'message')) as [{ url?: string; result?: number }]
    if (message.result !== undefined) {
      child.kill()
      return message.result
    }
    if (args[1] !== '0')
      get(`${message.url}/events`, response => response.resume()).on('error', () => {})
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

async function main(): Promise<void> {
  for (const viewers of ['0', '1']) {
    console.log(
      `page, viewers: ${viewers}: ${(await measured('page', viewers)).toFixed(2)} % of a core`,
    )
  }
  const upstream = createServer((_request, response) => response.end('{"name":"a"}'))
  const url = await listen(upstream)
  const shares: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const off = await measured('look-ups', url, 'off')
    const on = await measured('look-ups', url, 'on')
    shares.push(100 * (on / off - 1))
    console.log(
      `look-ups: ${off.toFixed(0)} ms of CPU without, ${on.toFixed(0)} ms with metrics and tracing`,
    )
  }
  console.log(`metrics and tracing: ${median(shares).toFixed(1)} % more CPU (median of ${ROUNDS})`)
  upstream.close()
  upstream.closeAllConnections()
}

const [what, of, how] = process.argv.slice(2)
if (what === undefined) await main()
else {
  const result = await (what === 'page' ? page(Number(of)) : lookUps(of!, how === 'on'))
  process.send!({ result })
}
