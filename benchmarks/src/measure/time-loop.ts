import type { Loop, TimedUnit } from '../define.ts'

/** How long and how often a loop is timed within one round. */
export interface TimingOptions {
  /** Seconds of untimed repetitions first, in which the code is compiled. */
  readonly warmup: number
  /** Shortest time in seconds that one sample may take. */
  readonly minTime: number
  /** Time in seconds after which no further sample is started. */
  readonly maxTime: number
}

export const fullTiming: TimingOptions = { warmup: 0.2, minTime: 0.1, maxTime: 0.5 }
export const quickTiming: TimingOptions = { warmup: 0.1, minTime: 0.05, maxTime: 0.2 }

export interface Timed<Result> {
  readonly value: number
  /** The first and the last result. */
  readonly results: readonly [Result, Result]
}

const isCpuUnit = (unit: string): boolean => unit.includes('CPU')

/** Times a loop and returns the figure in the unit: wall time by benny, CPU time of this process by the kernel's account. */
export async function timeLoop<Result>(
  loop: Loop<Result>,
  unit: TimedUnit,
  timing: TimingOptions,
): Promise<Timed<Result>> {
  if (!(loop.operations >= 1000)) {
    throw new RangeError(
      `Expected \`operations\` to be at least 1000, got ${loop.operations}: shorter samples measure the harness`,
    )
  }
  const first = await loop.run()
  await repeat(loop, timing.warmup)
  const { seconds, last } = isCpuUnit(unit)
    ? await cpuSeconds(loop, timing)
    : await wallSeconds(loop, timing)
  return { value: toUnit(seconds / loop.operations, unit), results: [first, last] }
}

export function toUnit(secondsPerOperation: number, unit: TimedUnit): number {
  switch (unit) {
    case 'ops/s':
      return 1 / secondsPerOperation
    case 'ns/op':
    case 'ns CPU/op':
      return secondsPerOperation * 1e9
    case 'us/op':
    case 'us CPU/op':
      return secondsPerOperation * 1e6
    case 'ms/op':
      return secondsPerOperation * 1e3
    default:
      throw new TypeError(`Expected the unit of a timed loop, got ${String(unit)}`)
  }
}

interface LoopSeconds<Result> {
  /** Seconds of one `run`. */
  readonly seconds: number
  readonly last: Result
}

async function wallSeconds<Result>(
  loop: Loop<Result>,
  timing: TimingOptions,
): Promise<LoopSeconds<Result>> {
  const { default: benny } = await import('benny')
  let last!: Result
  let failure: unknown
  const fail = (error: unknown) => {
    failure ??= error
  }
  const probe = loop.run()
  // benny repeats a function either until it returns or until its promise settles, and decides by the first call.
  const test =
    probe instanceof Promise
      ? () =>
          Promise.resolve(loop.run()).then(result => {
            last = result
          }, fail)
      : () => {
          try {
            last = loop.run() as Result
          } catch (error) {
            fail(error)
          }
        }
  await probe
  const summary = await benny.suite(
    'round',
    benny.add('contender', test, {
      minTime: timing.minTime,
      maxTime: timing.maxTime,
      minSamples: 3,
    }),
  )
  if (failure !== undefined) throw failure
  return { seconds: summary.results[0]!.details.median, last }
}

async function cpuSeconds<Result>(
  loop: Loop<Result>,
  timing: TimingOptions,
): Promise<LoopSeconds<Result>> {
  const before = process.cpuUsage()
  const { runs, last } = await repeat(loop, timing.maxTime)
  const used = process.cpuUsage(before)
  return { seconds: (used.user + used.system) / 1e6 / runs, last }
}

async function repeat<Result>(
  loop: Loop<Result>,
  seconds: number,
): Promise<{ runs: number; last: Result }> {
  const end = performance.now() + seconds * 1000
  let runs = 0
  let last: Result
  do {
    const result = loop.run()
    last = result instanceof Promise ? await result : result
    runs++
  } while (performance.now() < end)
  return { runs, last }
}
