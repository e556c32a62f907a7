import { LEVELS, type Level, leaking } from './levels.ts'
import { LOADS, type Load, stepped } from './loads.ts'
import { INTERVAL, type Traffic, tripsOnFailures, tripsOnLevel, tripsOnLoad } from './simulate.ts'

interface Context {
  readonly quick: boolean
  wanted(name: string): boolean
  progress(message: string): void
}

const HOUR = 3_600
const DAY = 24 * HOUR
/** When a deploy makes everything slower, and until when that must be found. */
const DEPLOY = 2.5 * HOUR
const DEADLINE = 300
const RATE = 100

const SPENT: readonly Traffic[] = [
  { name: 'budget spent exactly, 1/s', perSecond: 1, failing: () => 0.001 },
  { name: 'budget spent exactly, 1/min', perSecond: 1 / 60, failing: () => 0.001 },
  {
    name: 'a minute of failures a day, 10/s',
    perSecond: 10,
    failing: second => (second % DAY >= DAY / 2 && second % DAY < DAY / 2 + 60 ? 0.5 : 0),
  },
]

interface FalseTrips {
  readonly name: string
  readonly trips: number
}

/**
 * How often the rules trip where nothing is wrong, in so many evaluations. A run is twice as long, so that one trip by chance decides
 * nothing, and counts each as half; a quick one is a 20th as long.
 */
export function* falseTrips(context: Context, evaluations: number): Generator<FalseTrips> {
  const share = context.quick ? 1 / 20 : 2
  const seconds = evaluations * INTERVAL * share
  const per = (trips: readonly number[]): number => trips.length / share
  const wanted = (name: string): boolean => {
    if (context.wanted(name)) context.progress(`guards: ${name}`)
    return context.wanted(name)
  }
  for (const load of LOADS) {
    for (const rate of [2, RATE]) {
      const name = `regression, false trips: ${load.name}, ${rate}/s`
      if (wanted(name)) yield { name, trips: per(tripsOnLoad(load, rate, { seed: 1, seconds })) }
    }
  }
  // The first day is the longest window.
  const run = { seed: 1, seconds: DAY + seconds }
  for (const level of LEVELS) {
    const name = `leak, false trips: ${level.name}`
    if (wanted(name)) yield { name, trips: per(tripsOnLevel(level, run)) }
  }
  for (const traffic of SPENT) {
    const name = `burn-rate, false trips: ${traffic.name}`
    if (wanted(name)) yield { name, trips: per(tripsOnFailures(traffic, run)) }
  }
}

/** Traffic that fails from the second hour on, and how many seconds later that must be found. */
interface Failing {
  readonly name: string
  readonly traffic: Traffic
  readonly deadline: number
}

function failing(name: string, share: number, deadline: number): Failing {
  const traffic = { name, perSecond: 10, failing: (second: number) => (second < HOUR ? 0 : share) }
  return { name: `burn-rate, ${name}, 10/s`, traffic, deadline }
}

const FAILING: readonly Failing[] = [
  failing('found in 5 min: every request fails', 1, 300),
  // 14.4 times the budget over an hour is what trips, so 20 times that is seen after 43 minutes.
  failing('found in an hour: 20 times the budget fails', 0.02, HOUR),
]

interface Found {
  readonly name: string
  /** Percent of the runs. */
  readonly found: number
}

/** How often the rules find what is wrong. */
export function* foundFaults(context: Context): Generator<Found> {
  const runs = context.quick ? 4 : 60
  for (const load of LOADS.slice(0, 2)) {
    const name = `regression, +10 % found in 5 min: ${load.name}, ${RATE}/s`
    if (!context.wanted(name)) continue
    context.progress(`guards: ${name}`)
    yield { name, found: share(load, 1.1, runs) }
  }
  const leak: Level = leaking(0.01)
  const leakName = `leak, found in a day: ${leak.name} under the teeth of garbage collection`
  if (context.wanted(leakName)) {
    context.progress(`guards: ${leakName}`)
    const found = (seed: number): boolean =>
      tripsOnLevel(leak, { seed, seconds: DAY, until: 0 }).length > 0
    yield { name: leakName, found: percentOf(runs, found) }
  }
  for (const { name, traffic, deadline } of FAILING) {
    if (!context.wanted(name)) continue
    context.progress(`guards: ${name}`)
    const found = (seed: number): boolean => {
      const [first] = tripsOnFailures(traffic, { seed, seconds: HOUR + deadline, until: 0 })
      return first !== undefined && first >= HOUR
    }
    yield { name, found: percentOf(runs, found) }
  }
}

/** Which steps of which loads the regression rule finds, as markdown. A quick run shows that there is such a table. */
export function powerOf(context: Context): string {
  const title = 'regression, power'
  if (!context.wanted(title)) return ''
  const runs = context.quick ? 1 : 20
  const steps = context.quick ? [1.1, 2] : [1.1, 1.25, 1.5, 2]
  const lines = LOADS.map(load => {
    const cells = steps.map(factor => {
      context.progress(`guards: ${title}, ${load.name}, ${factor}x`)
      return `${Math.round(share(load, factor, runs))} %`
    })
    return `| ${load.name} | ${cells.join(' | ')} |`
  })
  return [
    `## Power of \`regression\`: steps found within 5 minutes at ${RATE} requests/s, of ${runs} runs`,
    '',
    `| load | ${steps.map(step => `+${Math.round((step - 1) * 100)} %`).join(' | ')} |`,
    `| --- | ${steps.map(() => '--:').join(' | ')} |`,
    ...lines,
  ].join('\n')
}

/** Percent of the runs in which a step is found in time, and nothing before it. */
function share(load: Load, factor: number, runs: number): number {
  return percentOf(runs, seed => {
    const run = { seed, seconds: DEPLOY + DEADLINE + 1, until: 0 }
    const [first] = tripsOnLoad(stepped(load, factor, DEPLOY), RATE, run)
    return first !== undefined && first >= DEPLOY
  })
}

function percentOf(runs: number, holds: (seed: number) => boolean): number {
  let found = 0
  for (let seed = 1; seed <= runs; seed++) if (holds(seed)) found++
  return (100 * found) / runs
}
