import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Prepare } from '../../../define.ts'
import { scratch } from './scratch.ts'

const writer = new URL('shared-writer.ts', import.meta.url)
const execArgv = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

/** One operation is a write and a read, of one of the writers. Values that were lost. */
export function sharedFile(kind: 'threads' | 'processes', writers: number): Prepare<number> {
  return async ({ quick }) => {
    const { folder, remove } = await scratch()
    const pairs = quick ? 500 : 2_000
    return {
      async measure() {
        const start = kind === 'threads' ? startThread : startProcess
        const ends = Array.from({ length: writers }, (_, name) =>
          start([join(folder, 'cache.db'), `${name}`, `${pairs}`]),
        )
        // Without their own start, which each of them leaves out.
        const results = await Promise.all(ends)
        const longest = Math.max(...results.map(({ elapsed }) => elapsed))
        return {
          value: (1_000 * longest) / (pairs * writers),
          result: results.reduce((sum, { lost }) => sum + lost, 0),
        }
      },
      close: remove,
    }
  }
}

interface Result {
  readonly elapsed: number
  readonly lost: number
}

async function startThread(argv: string[]): Promise<Result> {
  const worker = new Worker(writer, { argv, execArgv })
  const [result] = (await once(worker, 'message')) as [Result]
  await worker.terminate()
  return result
}

async function startProcess(argv: string[]): Promise<Result> {
  const child = fork(writer, argv, { execArgv })
  const [result] = (await once(child, 'message')) as [Result]
  child.kill()
  return result
}
