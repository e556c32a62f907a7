import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type CustomRun, defineSuite, type Finding } from '../../define.ts'
import type { ClientName } from './clients.ts'
import type { Sample, SoakResult } from './soak.ts'

const minutes = Number(process.env.MILLRACE_SOAK_MINUTES ?? 1)

/** Growth of the heap from the third and fourth to the last two samples that is still flat, in MB. */
const flatHeap = 2
/** The same of the whole process: pages that the allocator has not given back come and go. */
const flatRss = 8
const requestLogInterval = 50

/** MB for the young generation, in which V8 would otherwise keep up to a hundred, whatever the program does. */
const youngGeneration = '--max-semi-space-size=2'

export default defineSuite({
  name: 'http-soak',
  description:
    'A pool with all features on, and undici with what it has of them, each in a process of its own, send about 500 calls per second to a server in another: answers, errors, resets, time-outs, redirects, large bodies, aborts. Memory is measured ten times, after a collection. `MILLRACE_SOAK_MINUTES=10` makes it ten minutes, the default is one. V8 runs with `--max-semi-space-size=2`: with its defaults the young generation grows to its limit and keeps the pages, which says nothing of the client.',
  versions: ['undici'],
  async run({ quick, progress }): Promise<CustomRun> {
    const seconds = quick ? 15 : minutes * 60
    // Not at the top: the suite is loaded in every process of the harness.
    const { scriptedServer } = await import('./scripted-server.ts')
    const server = await scriptedServer()
    const forget = setInterval(() => server.requests.splice(0), requestLogInterval)
    const run = (name: ClientName) => runChild(name, server.origin, seconds, progress)
    const [millrace, undici] = await Promise.all([run('millrace'), run('undici')])
    clearInterval(forget)
    await server.kill()
    verify(millrace)
    return {
      findings: [
        verdict(`heap growth in ${seconds} s`, millrace, 'heap', flatHeap),
        verdict(`RSS growth in ${seconds} s`, millrace, 'rss', flatRss),
      ],
      details: [table('Millrace', millrace), table('undici', undici)].join('\n\n'),
    }
  },
})

async function runChild(
  name: ClientName,
  origin: string,
  seconds: number,
  progress: (message: string) => void,
): Promise<SoakResult> {
  const child = fork(new URL('./soak-child.ts', import.meta.url), [name, origin, String(seconds)], {
    execArgv: [...process.execArgv, '--expose-gc', youngGeneration],
  })
  const ended = once(child, 'exit')
  let result: SoakResult | undefined
  child.on('message', (message: { sample?: Sample; result?: SoakResult }) => {
    if (message.sample) progress(`${name}: ${Math.round(message.sample.at)} s`)
    result ??= message.result
  })
  const [code] = await ended
  if (result === undefined) throw new Error(`The soak of ${name} ended with ${code}`)
  return result
}

/** Every connection, permit and deadline has come back. */
function verify({ leftovers }: SoakResult): void {
  if (Object.values(leftovers).some(count => count !== 0)) {
    throw new Error(`Left behind: ${JSON.stringify(leftovers)}`)
  }
}

function verdict(name: string, result: SoakResult, key: 'heap' | 'rss', flat: number): Finding {
  return {
    case: name,
    unit: 'MB',
    better: 'less',
    ours: growth(result, key, flat),
    peer: flat,
    peerName: 'limit',
    goal: 1,
  }
}

/** No less than a twentieth of what is flat: below that it is the noise of a collection. */
function growth({ samples }: SoakResult, key: 'heap' | 'rss', flat: number): number {
  return Math.max(flat / 20, mean(samples.slice(8), key) - mean(samples.slice(2, 4), key))
}

function mean(samples: readonly Sample[], key: 'heap' | 'rss'): number {
  return samples.reduce((sum, sample) => sum + sample[key], 0) / samples.length
}

function table(name: string, { samples, failures }: SoakResult): string {
  const rows = samples.map(
    ({ at, calls, heap, external, rss }) =>
      `| ${at.toFixed(0)} | ${calls} | ${heap.toFixed(1)} | ${external.toFixed(1)} | ${rss.toFixed(0)} |`,
  )
  return [
    `${name}, ${failures} calls without an answer:`,
    '',
    '| s | calls | heap, MB | external, MB | RSS, MB |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}
