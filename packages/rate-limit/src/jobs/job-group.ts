import {
  type Clock,
  checkOptions,
  checkPositive,
  InvalidOptionError,
  monotonicClock,
  type OptionNames,
  type Timer,
} from '@millrace/kit'
import { LimiterClosedError } from '../errors.ts'
import { JobScheduler } from './job-scheduler.ts'
import {
  checkSchedulerOptions,
  type JobSchedulerOptions,
  SCHEDULER_OPTION_NAMES,
} from './scheduler-options.ts'

export interface JobGroupOptions extends JobSchedulerOptions {
  /** After so long without a job a key's scheduler is closed and forgotten, in ms. Default: 300,000 */
  readonly idle?: number | undefined
}

const NAMES: OptionNames<JobGroupOptions> = { ...SCHEDULER_OPTION_NAMES, idle: true }

interface Member {
  readonly scheduler: JobScheduler
  timer: Timer | undefined
}

/**
 * A scheduler per key, with the same options, made when it is needed and closed when it is not. With `redis`, what is kept there for a
 * key expires some minutes later.
 */
export class JobGroup {
  readonly #options: JobSchedulerOptions
  readonly #clock: Clock
  readonly #idle: number
  readonly #members = new Map<string, Member>()
  #closed = false

  /** @throws {InvalidOptionError} as {@link JobScheduler} does */
  constructor(options: JobGroupOptions = {}) {
    const { idle = 300_000, ...scheduler } = checkOptions('', options, NAMES)
    checkSchedulerOptions(scheduler)
    this.#options = scheduler
    this.#clock = scheduler.clock ?? monotonicClock
    this.#idle = checkPositive('idle', idle)
  }

  /** The number of schedulers in memory. */
  get size(): number {
    return this.#members.size
  }

  /** The scheduler of a key. Ask for it each time: one that is kept may have been closed meanwhile. @throws {LimiterClosedError} */
  key(key: string): JobScheduler {
    if (this.#closed) throw new LimiterClosedError(this.#options.id ?? 'jobs')
    if (typeof key !== 'string') throw new InvalidOptionError('key', 'a string', key)
    let member = this.#members.get(key)
    if (member === undefined) {
      const id = `${this.#options.id ?? 'jobs'}:${key}`
      member = { scheduler: new JobScheduler({ ...this.#options, id }), timer: undefined }
      this.#members.set(key, member)
    }
    member.timer?.cancel()
    this.#arm(member, key)
    return member.scheduler
  }

  /** Closes all schedulers, as {@link JobScheduler.close} does; there are none from now on. */
  async close(): Promise<void> {
    this.#closed = true
    const members = [...this.#members.values()]
    this.#members.clear()
    for (const { timer } of members) timer?.cancel()
    await Promise.all(members.map(({ scheduler }) => scheduler.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #retire(key: string): void {
    const member = this.#members.get(key)
    if (member === undefined) return
    const { waiting, running } = member.scheduler.stats()
    if (waiting + running > 0) {
      this.#arm(member, key)
      return
    }
    this.#members.delete(key)
    void member.scheduler.close()
  }

  #arm(member: Member, key: string): void {
    member.timer = this.#clock.setTimer(() => this.#retire(key), this.#idle)
  }
}
