import type { Loop, Measurement, Prepare } from '../../../define.ts'

export const jobs = 1_000
export const concurrency = 10

type Run = (job: () => Promise<number>) => Promise<number>

/** Offers all jobs at once; the result is the sum of theirs. */
function allAtOnce(run: Run): Loop<number> {
  return {
    operations: jobs,
    async run() {
      const results: Promise<number>[] = []
      for (let i = 0; i < jobs; i++) results.push(run(async () => i))
      let sum = 0
      for (const result of results) sum += await result
      return sum
    },
  }
}

/** Offers each job when the one before has ended. */
function oneByOne(run: Run): Loop<number> {
  return {
    operations: jobs,
    async run() {
      let sum = 0
      for (let i = 0; i < jobs; i++) sum += await run(async () => i)
      return sum
    },
  }
}

async function semaphore(): Promise<Run> {
  const { Semaphore } = await import('@millrace/rate-limit')
  const slots = new Semaphore({ permits: concurrency })
  return job => slots.run(job)
}

async function pQueue(): Promise<Run> {
  const { default: PQueue } = await import('p-queue')
  const queue = new PQueue({ concurrency })
  return job => queue.add(job)
}

async function pLimit(): Promise<Run> {
  const { default: createLimit } = await import('p-limit')
  return createLimit(concurrency)
}

async function bottleneck(): Promise<Run> {
  const { default: Bottleneck } = await import('bottleneck')
  const limiter = new Bottleneck({ maxConcurrent: concurrency })
  return job => limiter.schedule(job)
}

/** One pass instead of benny's many: 1,000 jobs take bottleneck some seconds. */
function once(loop: Loop<number>): Measurement<number> {
  return {
    async measure() {
      const start = performance.now()
      const result = await loop.run()
      return { value: ((performance.now() - start) * 1_000) / jobs, result }
    },
  }
}

export const batch = {
  ours: (async () => allAtOnce(await semaphore())) satisfies Prepare<number>,
  'p-queue': (async () => allAtOnce(await pQueue())) satisfies Prepare<number>,
  'p-limit': (async () => allAtOnce(await pLimit())) satisfies Prepare<number>,
  bottleneck: (async () => once(allAtOnce(await bottleneck()))) satisfies Prepare<number>,
}

export const sequence = {
  ours: (async () => oneByOne(await semaphore())) satisfies Prepare<number>,
  'p-queue': (async () => oneByOne(await pQueue())) satisfies Prepare<number>,
  'p-limit': (async () => oneByOne(await pLimit())) satisfies Prepare<number>,
  bottleneck: (async () => once(oneByOne(await bottleneck()))) satisfies Prepare<number>,
}
