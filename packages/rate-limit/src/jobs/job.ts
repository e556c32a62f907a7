import { AsyncResource } from 'node:async_hooks'
import {
  type Clock,
  checkInteger,
  checkPositive,
  checkPositiveOrInfinity,
  checkSignal,
  InvalidOptionError,
  type OptionRules,
  optional,
  type Resolved,
  resolveOptions,
  setAwaitedTimer,
  type Timer,
  withDefault,
} from '@millrace/kit'
import { AcquireTimeoutError } from '../errors.ts'
import { checkPriority, DEFAULT_PRIORITY } from '../wait/order/priority-order.ts'

export interface JobOptions {
  /** 0 is served first, 9 last; Default: 5 */
  readonly priority?: number | undefined
  /** How much of `maxConcurrent` and of the reservoir it takes; Default: 1 */
  readonly weight?: number | undefined
  /** How long it may wait for its start, in ms, above 0, as every start takes a turn or two; Infinity for no limit. Default: Infinity */
  readonly timeout?: number | undefined
  /** Takes it out of the queue, with `signal.reason`; of a job that runs it aborts the signal that the job was given. */
  readonly signal?: AbortSignal | undefined
  /** How long it may run, in ms. Default: the scheduler's */
  readonly expiration?: number | undefined
}

/** What a job is called with. */
export interface JobContext {
  /** Aborts when the job's expiration passes, with the {@link JobExpiredError}, or with the caller's `signal`. */
  readonly signal: AbortSignal
}

const OPTIONS: OptionRules<
  JobOptions,
  Resolved<JobOptions, 'timeout' | 'signal' | 'expiration'>
> = {
  priority: (_, given = DEFAULT_PRIORITY) => checkPriority(given as number),
  weight: withDefault(1, checkWeight),
  timeout: optional(checkPositiveOrInfinity),
  signal: optional(checkSignal),
  expiration: optional(checkPositive),
}

/** @throws {InvalidOptionError} for what is no such option, and for a job that could never start beside `maxConcurrent` */
export function checkJobOptions(options: JobOptions, maxConcurrent: number = Infinity): void {
  const { weight } = resolveOptions('', options, OPTIONS)
  if (weight <= maxConcurrent) return
  throw new InvalidOptionError('weight', `at most \`maxConcurrent\`, ${maxConcurrent}`, weight)
}

function checkWeight(option: string, weight: number): number {
  return weight === 0 ? weight : checkInteger(option, weight, 1)
}

/**
 * One job between its caller and bottleneck, which knows neither timeouts of waiting jobs nor signals.
 *
 * The function runs in the caller's asynchronous context; left to itself, bottleneck runs it in that of whatever job
 * happened to drain the queue (issue 211).
 */
export class Job {
  readonly options: JobOptions
  readonly promise: Promise<unknown>
  attempts = 0
  /** Whether its caller still waits for it. */
  pending = true
  readonly #context = new AsyncResource('millrace.Job')
  readonly #fn: (context: JobContext) => unknown
  readonly #name: string
  readonly #clock: Clock
  #resolve!: (value: unknown) => void
  #reject!: (error: unknown) => void
  #timer: Timer | undefined = undefined
  #running: AbortController | undefined = undefined
  #waiting = false
  readonly #onAbort = (): void => {
    const reason = this.options.signal?.reason
    if (this.#waiting) this.fail(reason)
    // One that has ended keeps its outcome, which bottleneck is about to tell.
    else this.#running?.abort(reason)
  }

  constructor(
    fn: (context: JobContext) => unknown,
    options: JobOptions,
    name: string,
    clock: Clock,
  ) {
    this.#fn = fn
    this.options = options
    this.#name = name
    this.#clock = clock
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.wait()
  }

  /** Bounds the wait for its start, the first or that of another attempt, by its timeout and its signal. */
  wait(): void {
    const { timeout, signal } = this.options
    this.#waiting = true
    if (timeout !== undefined && timeout < Infinity) {
      const giveUp = () => this.fail(new AcquireTimeoutError(this.#name, timeout))
      this.#timer = setAwaitedTimer(this.#clock, giveUp, timeout)
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (signal?.aborted) this.#onAbort()
  }

  /** Runs the function. */
  async start(): Promise<unknown> {
    // From here on it runs: what bounded its wait no longer applies.
    this.#waiting = false
    this.#timer?.cancel()
    this.attempts++
    const running = new AbortController()
    this.#running = running
    try {
      return await this.#context.runInAsyncScope(this.#fn, undefined, { signal: running.signal })
    } finally {
      if (this.#running === running) this.#running = undefined
      if (!this.pending) this.#unbind()
    }
  }

  /** Tells its caller and the job itself that it runs for too long. */
  expire(error: Error): void {
    this.#running?.abort(error)
    this.fail(error)
  }

  succeed(value: unknown): void {
    this.#unbind()
    this.pending = false
    this.#resolve(value)
  }

  fail(error: unknown): void {
    this.#unbind()
    this.pending = false
    this.#reject(error)
  }

  #unbind(): void {
    this.#timer?.cancel()
    this.options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
