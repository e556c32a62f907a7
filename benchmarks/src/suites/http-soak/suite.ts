import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type CustomRun, defineSuite } from '../../define.ts'
import type { Sample, SoakResult } from './soak.ts'

const minutes = Number(process.env.MILLRACE_SOAK_MINUTES ?? 1)

/** Growth of the heap from the second to the last fifth of the run that is still flat, in MB. */
const flat = 2

export default defineSuite({
  name: 'http-soak',
  description:
    'One process sends about 500 calls per second through all features of a pool: answers, errors, resets, time-outs, redirects, large bodies, aborts. The heap is measured ten times, after a collection. `MILLRACE_SOAK_MINUTES=10` makes it ten minutes, the default is one.',
  versions: ['undici'],
  async run({ quick, progress }): Promise<CustomRun> {
    const seconds = quick ? 15 : minutes * 60
    const child = fork(new URL('./soak-child.ts', import.meta.url), [String(seconds)], {
      execArgv: [...process.execArgv, '--expose-gc'],
    })
    const ended = once(child, 'exit')
    let result: SoakResult | undefined
    child.on('message', (message: { sample?: Sample; result?: SoakResult }) => {
      if (message.sample) progress(`${Math.round(message.sample.at)} s`)
      result ??= message.result
    })
    const [code] = await ended
    if (result === undefined) throw new Error(`The soak ended with ${code}`)
    verify(result)
    const growth = (key: 'heap' | 'rss') =>
      mean(result!.samples.slice(8), key) - mean(result!.samples.slice(2, 4), key)
    const row = { unit: 'MB', better: 'less', peerName: 'limit' } as const
    return {
      findings: [
        {
          case: `heap growth in ${seconds} s`,
          ...row,
          ours: Math.max(0.01, growth('heap')),
          peer: flat,
          goal: 1,
        },
      ],
      details: table(result.samples),
    }
  },
})

/** Every connection, permit and deadline has come back. */
function verify({ stats }: SoakResult): void {
  const { pending, queued, deadlines } = stats
  if (pending + queued + deadlines !== 0) {
    throw new Error(`Left behind: ${JSON.stringify({ pending, queued, deadlines })}`)
  }
}

function mean(samples: readonly Sample[], key: 'heap' | 'rss'): number {
  return samples.reduce((sum, sample) => sum + sample[key], 0) / samples.length
}

function table(samples: readonly Sample[]): string {
  const rows = samples.map(
    ({ at, requests, heap, rss }) =>
      `| ${at.toFixed(0)} | ${requests} | ${heap.toFixed(1)} | ${rss.toFixed(0)} |`,
  )
  return ['| s | calls | heap, MB | RSS, MB |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
