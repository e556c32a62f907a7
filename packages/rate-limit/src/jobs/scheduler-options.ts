import {
  type Clock,
  checkClock,
  checkFunction,
  checkInteger,
  checkIntegerOrInfinity,
  checkMethods,
  checkNonNegative,
  checkOneOf,
  checkOptions,
  checkPositive,
  checkPositiveOrInfinity,
  checkText,
  monotonicClock,
  type OptionNames,
} from '@millrace/kit'
import type { Redis } from 'ioredis'
import { InvalidOptionError } from '../errors.ts'

/** A number of starts, refilled in steps. */
export interface Reservoir {
  /** How many jobs may start before the first refill. Default: `refreshAmount`, or 0 */
  readonly initial?: number | undefined
  /** Set to this each `interval`… */
  readonly refreshAmount?: number | undefined
  /** …or raised by this, up to `maximum`. One of the two. */
  readonly increaseAmount?: number | undefined
  readonly maximum?: number | undefined
  /** In ms, a multiple of 250 (5,000 with Redis), as bottleneck looks no more often. */
  readonly interval: number
}

/** What may be changed while a scheduler is in use. */
export interface JobSettings {
  /** How many jobs, or weights of jobs, may run at once. Default: Infinity */
  readonly maxConcurrent?: number | undefined
  /** The least time between two starts, in ms. Default: 0. Locally at least 5, as bottleneck can start no more per second */
  readonly minTime?: number | undefined
  /** The most jobs that may wait. Default: Infinity */
  readonly maxQueue?: number | undefined
  /**
   * What happens to one job more:
   * - `'overflow'`: it is refused
   * - `'leak'`: the oldest of the lowest priority is dropped for it
   * - `'overflow-priority'`: the same, if it is less urgent than the new one
   * - `'block'`: all waiting jobs are dropped, and for `penalty` ms every new one
   *
   * Default: `'overflow'`
   */
  readonly strategy?: 'overflow' | 'leak' | 'overflow-priority' | 'block' | undefined
  /** In ms. Default: 15 times `minTime`, or 5,000 */
  readonly penalty?: number | undefined
  /** Bounds starts rather than running jobs. Default: none */
  readonly reservoir?: Reservoir | undefined
}

export interface JobSchedulerOptions extends JobSettings {
  /** Which scheduler: with `redis`, processes that give the same id share one. In errors and statistics too. Default: `'jobs'` */
  readonly id?: string | undefined
  /** An ioredis 6 connection, by which the scheduler is shared. It is not closed with the scheduler. Default: none, the scheduler is of this process */
  readonly redis?: Redis | undefined
  /** How long a job may run, in ms, before its place is given away. Default: 300,000 with `redis`, else Infinity */
  readonly expiration?: number | undefined
  /**
   * Called with what a job failed with and how often it has; returns in how many ms to try again, or undefined to give
   * up. The job waits in line again, with its limits, and holds no place meanwhile. Default: never again.
   */
  readonly retry?: ((error: unknown, attempts: number) => number | undefined) | undefined
  /** Hears of faults that belong to no job, such as lost connections. What it throws becomes a process warning. Default: ignores them */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Source of time. Default: the process' monotonic clock */
  readonly clock?: Clock | undefined
}

export const SETTING_NAMES: OptionNames<JobSettings> = {
  maxConcurrent: true,
  minTime: true,
  maxQueue: true,
  strategy: true,
  penalty: true,
  reservoir: true,
}

export const SCHEDULER_OPTION_NAMES: OptionNames<JobSchedulerOptions> = {
  ...SETTING_NAMES,
  id: true,
  redis: true,
  expiration: true,
  retry: true,
  onError: true,
  clock: true,
}

/**
 * Checks the values of options whose names are known.
 *
 * @throws {InvalidOptionError} as {@link toBottleneck} does, too
 */
export function checkSchedulerOptions(options: JobSchedulerOptions): void {
  const { id = 'jobs', redis, clock = monotonicClock, expiration = Infinity } = options
  checkText('id', id)
  checkClock('clock', clock)
  if (redis !== undefined) {
    checkMethods('redis', redis, 'an ioredis client', ['defineCommand', 'duplicate'])
  }
  for (const name of ['retry', 'onError'] as const) {
    if (options[name] !== undefined) checkFunction(name, options[name])
  }
  checkPositiveOrInfinity('expiration', expiration)
  toBottleneck(options, redis !== undefined)
}

const RESERVOIR_NAMES: OptionNames<Reservoir> = {
  initial: true,
  refreshAmount: true,
  increaseAmount: true,
  maximum: true,
  interval: true,
}

/** The rate up to which bottleneck's local scheduler keeps pace, in ms between starts: see benchmarks/results/limiter.md. */
const LOCAL_MIN_TIME = 5

/** The same with Redis, where it has no timers to wait for. */
const REDIS_MIN_TIME = 1

/** For how many ms, at least, Redis keeps a scheduler that no process uses. */
const KEPT = 300_000

const LOCAL_HEARTBEAT = 250
const REDIS_HEARTBEAT = 5_000

/** Numbers of bottleneck's strategies, which it exposes on its class only. */
const STRATEGIES = { leak: 1, overflow: 2, 'overflow-priority': 4, block: 3 } as const

type Strategy = keyof typeof STRATEGIES

/**
 * The settings in bottleneck's terms.
 *
 * @throws {InvalidOptionError} for values that make no sense, and for rates that bottleneck cannot hold
 */
export function toBottleneck(settings: JobSettings, shared: boolean): Record<string, unknown> {
  const { maxConcurrent, minTime = 0, maxQueue, strategy = 'overflow', penalty } = settings
  const result: Record<string, unknown> = {
    maxConcurrent:
      maxConcurrent === undefined || maxConcurrent === Infinity
        ? null
        : checkInteger('maxConcurrent', maxConcurrent, 1),
    minTime: checkRate('minTime', checkNonNegative('minTime', minTime), shared),
    highWater:
      maxQueue === undefined || checkIntegerOrInfinity('maxQueue', maxQueue, 0) === Infinity
        ? null
        : maxQueue,
    strategy: STRATEGIES[checkOneOf('strategy', strategy, Object.keys(STRATEGIES) as Strategy[])],
    penalty: penalty === undefined ? null : checkNonNegative('penalty', penalty),
  }
  // What no process uses any more is forgotten once it makes no difference.
  if (shared)
    result.timeout = Math.max(KEPT, settings.reservoir?.interval ?? 0, penalty ?? 0, minTime)
  const { reservoir } = settings
  return reservoir === undefined ? result : { ...result, ...toReservoir(reservoir, shared) }
}

function toReservoir(reservoir: Reservoir, shared: boolean): Record<string, unknown> {
  const { initial, refreshAmount, increaseAmount, maximum, interval } = checkOptions(
    'reservoir',
    reservoir,
    RESERVOIR_NAMES,
  )
  if ((refreshAmount === undefined) === (increaseAmount === undefined)) {
    throw new InvalidOptionError(
      'reservoir',
      'refilled by either refreshAmount or increaseAmount',
      reservoir,
    )
  }
  const heartbeat = shared ? REDIS_HEARTBEAT : LOCAL_HEARTBEAT
  if (!(interval > 0 && interval % heartbeat === 0)) {
    throw new InvalidOptionError('reservoir.interval', `a multiple of ${heartbeat} ms`, interval)
  }
  const amount = checkPositive('reservoir amount', (refreshAmount ?? increaseAmount)!)
  checkRate('reservoir', interval / amount, shared)
  const refill =
    refreshAmount === undefined
      ? {
          reservoirIncreaseAmount: amount,
          reservoirIncreaseInterval: interval,
          reservoirIncreaseMaximum: maximum ?? null,
        }
      : { reservoirRefreshAmount: amount, reservoirRefreshInterval: interval }
  return { reservoir: initial ?? refreshAmount ?? 0, ...refill }
}

function checkRate(option: string, msPerJob: number, shared: boolean): number {
  const least = shared ? REDIS_MIN_TIME : LOCAL_MIN_TIME
  if (msPerJob === 0 || msPerJob >= least) return msPerJob
  const most = 1_000 / least
  throw new InvalidOptionError(
    option,
    `no faster than ${most} starts per second, which is what bottleneck holds; use TokenBucket for more`,
    msPerJob,
  )
}
