import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { BELADY } from './cell-part.ts'
import type { CellAnswer, CellJob } from './cell-worker.ts'
import { assertPlausible, type Cell, mean } from './cells.ts'
import { ourDefault } from './policies/ours.ts'

/** A stream of reads and the capacities at which it is replayed. */
export interface CellRequest extends Pick<CellJob, 'name' | 'path'> {
  readonly capacities: readonly number[]
}

export interface MeasureOptions {
  /** Hash seeds of the default policy. */
  readonly seeds: number
  readonly progress: (message: string) => void
  /** Threads that replay. Default: as many as the machine has cores */
  readonly threads?: number
}

/**
 * The cells of all requests, in their order. What is measured does not depend on time, so that threads beside each other change nothing.
 *
 * @throws {Error} of the first piece that could not be measured, or whose figures cannot be
 */
export async function measureCells(
  requests: readonly CellRequest[],
  { seeds, progress, threads = availableParallelism() }: MeasureOptions,
): Promise<Cell[]> {
  const plans = requests.flatMap(({ name, path, capacities }) =>
    capacities.map(capacity => planOf({ name, path, capacity }, seeds)),
  )
  const jobs = plans.flatMap(plan => plan.jobs)
  const answers = new Map<CellJob, ReadonlyMap<string, number>>()
  const waiting = jobs.values()
  const workers = Array.from({ length: Math.min(threads, jobs.length) }, startWorker)
  try {
    await Promise.all(
      workers.map(async worker => {
        for (const job of waiting) {
          progress(`hit-ratio: ${job.name} @${job.capacity}, ${answers.size} of ${jobs.length}`)
          answers.set(job, await askWorker(worker, job))
        }
      }),
    )
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()))
  }
  return plans.map(plan => cellOf(plan, job => answers.get(job)!))
}

interface Plan {
  readonly name: string
  readonly references: CellJob
  readonly ours: CellJob
  readonly jobs: readonly CellJob[]
}

function planOf(stream: Omit<CellJob, 'part'>, seeds: number): Plan {
  const references: CellJob = { ...stream, part: 'references' }
  const ours: CellJob = { ...stream, part: 'ours' }
  // The run of all our policies has one of the seeds.
  const others = Array.from({ length: seeds - 1 }, (): CellJob => ({ ...stream, part: 'seed' }))
  const name = `${stream.name} @${stream.capacity}`
  return { name, references, ours, jobs: [references, ours, ...others] }
}

function cellOf(
  { name, references, ours, jobs }: Plan,
  answer: (job: CellJob) => ReadonlyMap<string, number>,
): Cell {
  const seeds = jobs.filter(job => job !== references).map(job => answer(job).get(ourDefault)!)
  const others = new Map(answer(references))
  const belady = others.get(BELADY)!
  others.delete(BELADY)
  const own = new Map(answer(ours)).set(ourDefault, mean(seeds))
  const cell = { name, ours: own, seeds, references: others, belady }
  assertPlausible(cell)
  return cell
}

function startWorker(): Worker {
  return new Worker(new URL('./cell-worker.ts', import.meta.url), {
    execArgv: ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
  })
}

async function askWorker(worker: Worker, job: CellJob): Promise<ReadonlyMap<string, number>> {
  const { promise, resolve, reject } = Promise.withResolvers<CellAnswer>()
  worker.once('message', resolve)
  worker.once('error', reject)
  try {
    worker.postMessage(job)
    const answer = await promise
    if (answer instanceof Error) throw answer
    return answer
  } finally {
    worker.off('message', resolve).off('error', reject)
  }
}
