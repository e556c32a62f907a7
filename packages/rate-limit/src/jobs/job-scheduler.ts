import {
  type Clock,
  checkNonNegativeOrInfinity,
  checkOptions,
  describeStats,
  monotonicClock,
  setAwaitedTimer,
  type Timer,
  tell,
  warn,
} from '@millrace/kit'
import Bottleneck from 'bottleneck'
import { JobExpiredError, LimiterClosedError, QueueFullError } from '../errors.ts'
import { checkJobOptions, Job, type JobContext, type JobOptions } from './job.ts'
import { JobLimiter } from './job-limiter.ts'
import { type JobLine, JobLines, type Start } from './job-lines.ts'
import { JOB_SCHEDULER_STATS_KINDS, type JobSchedulerStats } from './job-scheduler-stats.ts'
import {
  checkSchedulerOptions,
  type JobSchedulerOptions,
  type JobSettings,
  SCHEDULER_OPTION_NAMES,
  SETTING_NAMES,
} from './scheduler-options.ts'

/** bottleneck's words for a job whose `expiration` passed. */
const EXPIRED = /^This job timed out after/

/**
 * Long-running work by bottleneck 2.19.5, in one process or over several by Redis: priorities, weights, reservoirs,
 * queues that shed load. Its known faults are mended: see the README.
 *
 * A start costs it some milliseconds, so it cannot hold more than 200 per second in one process; limits of that kind are
 * refused with a hint to {@link TokenBucket}.
 */
export class JobScheduler {
  readonly name: string
  readonly #options: JobSchedulerOptions
  /** Whether other processes have jobs of it. */
  readonly #shared: boolean
  readonly #clock: Clock
  readonly #limiter: JobLimiter
  readonly #lines = new JobLines()
  #starts = 0
  /** What runs, until it has ended. */
  readonly #active = new Set<Promise<unknown>>()
  /** Jobs that failed and are to be tried again, before they are in line. */
  readonly #resting = new Map<Job, Timer>()
  /** Resolves when the last change of settings is made; never rejects. */
  #updated: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined = undefined
  #done = 0
  #failed = 0
  #dropped = 0
  #expired = 0
  #retried = 0
  #abandoned = 0
  #errors = 0

  /** @throws {InvalidOptionError} also for unknown names, and for rates that bottleneck cannot hold */
  constructor(options: JobSchedulerOptions = {}) {
    checkSchedulerOptions(checkOptions('', options, SCHEDULER_OPTION_NAMES))
    const { id = 'jobs', redis, clock = monotonicClock, expiration: _, ...settings } = options
    this.name = id
    this.#options = options
    this.#shared = redis !== undefined
    this.#clock = clock
    this.#limiter = new JobLimiter({
      name: id,
      redis,
      settings,
      onError: error => this.#onError(error),
      onReplaced: () => {
        for (const line of this.#lines.arrivals) this.#ask(line)
      },
    })
  }

  /**
   * Runs `fn` when its turn comes. Its `signal` aborts when its expiration passes or the caller's `signal` aborts: what does not heed it
   * runs on, and {@link close} waits for it.
   *
   * @returns what `fn` returns
   * @throws (by rejection) what `fn` throws; {AcquireTimeoutError}; `signal.reason`; {QueueFullError};
   *   {JobExpiredError}; {LimiterClosedError}; {InvalidOptionError}
   */
  async schedule<R>(
    fn: (context: JobContext) => R | PromiseLike<R>,
    options: JobOptions = {},
  ): Promise<R> {
    checkJobOptions(options, this.#limiter.settings.maxConcurrent)
    if (this.#closed !== undefined) throw new LimiterClosedError(this.name)
    const job = new Job(fn, options, this.name, this.#clock)
    job.promise.catch(() => this.#onGivenUp(job))
    this.#submit(job)
    return job.promise as Promise<R>
  }

  /**
   * Changes settings; those not named stay. A local scheduler with a reservoir is replaced by a new one, as bottleneck
   * would stop refilling it (issue 185): what runs is awaited first, what waits keeps its order, and the reservoir its
   * contents unless it is given anew. Changes are made one after another.
   *
   * @throws (by rejection) {InvalidOptionError}; {LimiterClosedError}
   */
  async updateSettings(changes: JobSettings): Promise<void> {
    checkOptions('', changes, SETTING_NAMES)
    if (this.#closed !== undefined) throw new LimiterClosedError(this.name)
    const update = this.#updated.then(() => this.#limiter.update(changes))
    // Its own caller hears of what went wrong.
    this.#updated = update.catch(() => {})
    await update
  }

  stats(): JobSchedulerStats {
    return {
      waiting: this.#lines.size + this.#resting.size,
      running: this.#active.size,
      done: this.#done,
      failed: this.#failed,
      dropped: this.#dropped,
      expired: this.#expired,
      retried: this.#retried,
      abandoned: this.#abandoned,
      errors: this.#errors,
    }
  }

  /**
   * Refuses new jobs, drops those that wait with {@link LimiterClosedError}, and resolves when the others have ended, those too whose
   * expiration has passed.
   */
  close(): Promise<void> {
    this.#closed ??= this.#stop()
    return this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #onError(error: unknown): void {
    this.#errors++
    const { onError } = this.#options
    // A listener that threw would be called with its own error again, until the stack ends.
    if (onError !== undefined) tell(onError, error, warn)
  }

  #submit(job: Job): void {
    // One without an end would hold its place in Redis for as long as its process is dead.
    const longest = this.#shared ? 300_000 : Infinity
    const { expiration = this.#options.expiration ?? longest } = job.options
    const line = this.#lines.add(job, expiration)
    if (this.#limiter.replacing === undefined) this.#ask(line)
  }

  /** Asks bottleneck for a start, unless it was asked for enough. */
  #ask(line: JobLine): void {
    if (line.starts.size >= line.jobs.size) return
    const start = { id: `${this.#starts++}`, line }
    line.starts.add(start)
    void this.#run(start, this.#limiter.current)
  }

  async #run(start: Start, limiter: Bottleneck): Promise<void> {
    const { id, line } = start
    const { priority, weight, expiration } = line
    let job: Job | undefined
    try {
      const value = await limiter.schedule(
        { id, priority, weight, ...(expiration < Infinity && { expiration }) },
        () => {
          line.starts.delete(start)
          job = this.#lines.next(start)
          return job === undefined ? this.#giveBack(limiter, weight) : this.#start(job)
        },
      )
      this.#lines.forget(line)
      if (job?.pending) this.#done++
      job?.succeed(value)
    } catch (error) {
      if (job !== undefined) this.#settle(job, error, true)
      else if (line.starts.has(start)) this.#onDropped(start, error, limiter)
    }
  }

  #start(job: Job): Promise<unknown> {
    const line = this.#lines.remove(job)!
    // It may have had the start of another line.
    this.#withdraw(line)
    const run = job.start()
    this.#active.add(run)
    const end = () => this.#active.delete(run)
    run.then(end, end)
    return run
  }

  /** Takes back a start that nothing waits for any more. */
  #withdraw(line: JobLine): void {
    if (line.starts.size <= line.jobs.size) return
    for (const start of [...line.starts].reverse()) {
      if (!this.#limiter.queue.withdraw(start.id)) continue
      line.starts.delete(start)
      break
    }
    this.#lines.forget(line)
  }

  /** Undoes a start that came when nothing waited for it; what was let through behind it keeps its time. */
  async #giveBack(limiter: Bottleneck, weight: number): Promise<void> {
    const { minTime = 0, reservoir } = this.#limiter.settings
    // One that had to wait may have been let through before the last refill.
    if (minTime > 0 || reservoir === undefined || weight === 0) return
    await limiter.incrementReservoir(weight).catch(error => this.#onError(error))
  }

  /** bottleneck dropped a start that was waited for. */
  #onDropped(start: Start, error: unknown, limiter: Bottleneck): void {
    const { line } = start
    // One that is refused is the newest of its line; one that makes room for another is the oldest.
    const refused = [...line.starts].at(-1) === start
    line.starts.delete(start)
    // What waits for the limiter that was replaced waits for the new one.
    if (this.#limiter.current !== limiter) return
    const jobs = [...line.jobs]
    if (jobs.length <= line.starts.size) return
    const job = refused ? jobs.at(-1)! : jobs[0]!
    this.#lines.remove(job)
    this.#settle(job, error, false)
  }

  #onGivenUp(job: Job): void {
    const line = this.#lines.remove(job)
    if (line !== undefined) this.#withdraw(line)
    const timer = this.#resting.get(job)
    timer?.cancel()
    this.#resting.delete(job)
    if (line !== undefined || timer !== undefined) this.#abandoned++
  }

  #settle(job: Job, error: unknown, started: boolean): void {
    if (!(error instanceof Bottleneck.BottleneckError)) {
      let reason = error
      try {
        if (started && job.pending && this.#again(job, error)) return
      } catch (thrown) {
        // A `retry` that fails must not leave its caller waiting without end.
        reason = thrown
      }
      this.#failed++
      job.fail(reason)
    } else if (EXPIRED.test(error.message)) {
      this.#expired++
      job.expire(new JobExpiredError(this.name, { cause: error }))
    } else if (this.#closed !== undefined) job.fail(new LimiterClosedError(this.name))
    else {
      this.#dropped++
      job.fail(new QueueFullError(this.name, this.#limiter.settings.maxQueue ?? Infinity))
    }
  }

  /** @returns whether the job will be tried again @throws what `retry` throws, and for a delay that is none */
  #again(job: Job, error: unknown): boolean {
    if (this.#closed !== undefined || job.options.signal?.aborted) return false
    const delay = this.#options.retry?.(error, job.attempts)
    if (delay === undefined) return false
    checkNonNegativeOrInfinity('retry', delay)
    this.#retried++
    // Until it is in line again it waits like all others: closing, abort and timeout end that.
    this.#resting.set(
      job,
      setAwaitedTimer(
        this.#clock,
        () => {
          this.#resting.delete(job)
          this.#submit(job)
        },
        delay,
      ),
    )
    job.wait()
    return true
  }

  async #stop(): Promise<void> {
    for (const [job, timer] of this.#resting) {
      timer.cancel()
      this.#resting.delete(job)
      job.fail(new LimiterClosedError(this.name))
    }
    await this.#updated
    await this.#limiter.stop()
    await Promise.allSettled(this.#active)
    this.#limiter.release()
  }
}

describeStats<JobSchedulerStats>(JobScheduler.prototype, JOB_SCHEDULER_STATS_KINDS)
