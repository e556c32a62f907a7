import { parentPort } from 'node:worker_threads'
import { type CellPart, measurePart } from './cell-part.ts'
import { assertAsPublished, oracleTrace } from './policies/oracle.ts'
import { catalogue, loadTrace } from './traces/catalogue.ts'
import { makeTrace, streamNamed } from './traces/synthetic.ts'
import type { Trace } from './traces/trace.ts'

/** One piece of work of a thread. */
export interface CellJob {
  /** Of a trace of the catalogue, or of a synthetic stream. */
  readonly name: string
  /** Where the trace is; undefined for a synthetic stream. */
  readonly path: string | undefined
  readonly capacity: number
  readonly part: CellPart
}

/** What a thread answers to a job. */
export type CellAnswer = ReadonlyMap<string, number> | Error

let held: Trace | undefined

parentPort?.on('message', async (job: CellJob) => {
  parentPort!.postMessage(await answer(job))
})

async function answer(job: CellJob): Promise<CellAnswer> {
  try {
    if (held?.name !== job.name) held = await open(job)
    return measurePart(held, job.capacity, job.part)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

async function open({ name, path }: CellJob): Promise<Trace> {
  if (path === undefined) return makeTrace(streamNamed(name))
  const trace = await loadTrace(catalogue.find(source => source.name === name)!, path)
  if (trace.name === oracleTrace) assertAsPublished(trace)
  return trace
}
