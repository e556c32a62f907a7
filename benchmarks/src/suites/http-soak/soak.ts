import { type ClientName, clients, type SoakClient } from './clients.ts'

/** One look at the process, after a collection. In MB. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number
  readonly calls: number
  /** Used heap. */
  readonly heap: number
  /** Buffers and what else hangs on to the heap from outside. */
  readonly external: number
  readonly rss: number
}

export interface SoakResult {
  readonly samples: readonly Sample[]
  readonly failures: number
  readonly leftovers: Record<string, number>
}

export const sampleCount = 10
const megabyte = 1024 * 1024
const callsPerTick = 10
const tick = 20

const paths = [
  '/ok',
  '/cached',
  '/large',
  '/moved',
  '/flaky',
  '/reset',
  '/slow',
  '/ok?n=',
  '/abort',
]

/** About 500 calls per second: answers, errors, resets, time-outs, redirects, large bodies, callers that abort. */
export async function soak(
  name: ClientName,
  origin: string,
  seconds: number,
  onSample: (sample: Sample) => void,
): Promise<SoakResult> {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('The soak needs node --expose-gc')
  const client = await clients[name]()
  const samples: Sample[] = []
  const pending = new Set<Promise<unknown>>()
  let calls = 0
  let failures = 0
  const start = performance.now()
  const takeSample = (): void => {
    gc()
    const { heapUsed, external, rss } = process.memoryUsage()
    const sample = {
      at: (performance.now() - start) / 1000,
      calls,
      heap: heapUsed / megabyte,
      external: external / megabyte,
      rss: rss / megabyte,
    }
    samples.push(sample)
    onSample(sample)
  }
  const end = start + seconds * 1000
  for (let now = start; now < end; now = performance.now()) {
    for (let i = 0; i < callsPerTick; i++) {
      const call = send(client, origin, calls++)
        .catch(() => failures++)
        .finally(() => pending.delete(call))
      pending.add(call)
    }
    await new Promise(resolve => setTimeout(resolve, tick))
    const isDue = performance.now() - start >= ((samples.length + 1) * seconds * 1000) / sampleCount
    if (isDue) takeSample()
  }
  await Promise.all(pending)
  if (samples.length < sampleCount) takeSample()
  const leftovers = client.leftovers()
  await client.close()
  return { samples, failures, leftovers }
}

async function send(client: SoakClient, origin: string, number: number): Promise<void> {
  const path = paths[number % paths.length]!
  if (path === '/abort') {
    const { signal, abort } = abortAfter(number % 7)
    await client.get(`${origin}/slow`, 'whole', signal).catch(error => {
      if (!signal.aborted) throw error
    })
    clearTimeout(abort)
    return
  }
  const url = origin + (path.endsWith('=') ? path + (number % 5_000) : path)
  await client.get(url, path === '/large' && number % 2 === 0 ? 'not' : 'whole')
}

function abortAfter(delay: number): { signal: AbortSignal; abort: NodeJS.Timeout } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: setTimeout(() => controller.abort(), delay) }
}
