import { LONGEST_DELAY } from '@millrace/kit'
import type Bottleneck from 'bottleneck'

/** What is used of bottleneck 2.19.5 beyond its published type. */
interface LetThrough {
  readonly options: {
    readonly id: string
    readonly weight: number
    readonly expiration?: number | null
  }
  doRun(): void
  doDrop(): void
  doExecute(chained: unknown, clear: () => boolean, run: unknown, free: Free): unknown
  doExpire(clear: () => boolean, run: unknown, free: Free): unknown
}

type Free = (options: LetThrough['options'], info: object) => unknown

interface Scheduled {
  readonly job: LetThrough
  timeout: NodeJS.Timeout | undefined
  expiration: NodeJS.Timeout | undefined
}

interface Internals {
  readonly _limiter: unknown
  readonly _scheduled: Record<string, Scheduled>
  _run(index: string, job: LetThrough, wait: number): Scheduled
  _clearGlobalState(index: string): boolean
  _free(index: string, job: LetThrough, options: LetThrough['options'], info: object): unknown
  readonly _store: {
    /** The next slot, in a local scheduler; ms of `Date.now()`. */
    _nextRequest?: number
    readonly storeOptions: { readonly reservoir?: number | null }
    /** When its reservoir was refilled last. */
    _lastReservoirRefresh?: number
    _lastReservoirIncrease?: number
  }
}

/** A job that bottleneck has let through, whose time is yet to come. */
interface Paced {
  readonly index: string
  readonly job: LetThrough
  readonly scheduled: Scheduled
  readonly refills: number
  /** When it starts, ms of `performance.now()`. */
  slot: number
}

/**
 * The jobs that bottleneck has let through ahead of their time, as it does where there is a least time between starts. One that is taken
 * out leaves its slot to those behind it, and the last slot is free again. A local scheduler only: slots of others are counted in Redis.
 *
 * Timers are set in steps: bottleneck's fire at once beyond 24.8 days, which a long queue comes to.
 */
export class BottleneckPace {
  readonly #limiter: Bottleneck
  readonly #internals: Internals
  /** By their slots. */
  readonly #paced: Paced[] = []

  /** @param unwanted whether a job was taken out while bottleneck let it through; asked once */
  constructor(limiter: Bottleneck, unwanted: (id: string) => boolean) {
    this.#limiter = limiter
    const internals = limiter as unknown as Internals
    this.#internals = internals
    internals._run = (index, job, wait) => {
      job.doRun()
      const scheduled: Scheduled = { job, timeout: undefined, expiration: undefined }
      internals._scheduled[index] = scheduled
      const paced = {
        index,
        job,
        scheduled,
        refills: this.#refills,
        slot: performance.now() + wait,
      }
      this.#paced.push(paced)
      this.#await(paced)
      if (unwanted(job.options.id)) this.withdraw(job.options.id)
      return scheduled
    }
  }

  /** Takes a job out. @returns whether it was there */
  withdraw(id: string): boolean {
    const { _store: store, _scheduled } = this.#internals
    const place = this.#paced.findLastIndex(({ job }) => job.options.id === id)
    if (place < 0 || store._nextRequest === undefined) return false
    const [{ index, job, scheduled, refills, slot }] = this.#paced.splice(place, 1) as [Paced]
    clearTimeout(scheduled.timeout)
    delete _scheduled[index]
    let free = slot
    for (const later of this.#paced.slice(place)) {
      const left = later.slot
      later.slot = free
      free = left
      this.#await(later)
    }
    // Its time is the wall clock's.
    const next = Date.now() + free - performance.now()
    store._nextRequest = Math.min(store._nextRequest, next)
    job.doDrop()
    const { weight } = job.options
    void this.#internals._free(index, job, job.options, {})
    // What was refilled since does not miss it.
    if (weight > 0 && refills === this.#refills && store.storeOptions.reservoir != null) {
      void this.#limiter.incrementReservoir(weight)
    }
    return true
  }

  get #refills(): number {
    const { _lastReservoirRefresh = 0, _lastReservoirIncrease = 0 } = this.#internals._store
    return _lastReservoirRefresh + _lastReservoirIncrease
  }

  #await(paced: Paced): void {
    const { scheduled } = paced
    clearTimeout(scheduled.timeout)
    inSteps(
      Math.max(0, paced.slot - performance.now()),
      timeout => {
        scheduled.timeout = timeout
      },
      () => this.#start(paced),
    )
  }

  #start(paced: Paced): void {
    this.#paced.splice(this.#paced.indexOf(paced), 1)
    const { index, job, scheduled } = paced
    const internals = this.#internals
    const clear = () => internals._clearGlobalState(index)
    const run = (wait: number) => internals._run(index, job, wait)
    const free: Free = (options, info) => internals._free(index, job, options, info)
    const { expiration } = job.options
    if (expiration != null) {
      inSteps(
        expiration,
        timeout => {
          scheduled.expiration = timeout
        },
        () => job.doExpire(clear, run, free),
      )
    }
    job.doExecute(internals._limiter, clear, run, free)
  }
}

/** Calls back after a time that may be longer than Node's timers honour. @param set is given each timer, to clear it by */
function inSteps(ms: number, set: (timeout: NodeJS.Timeout) => void, callback: () => void): void {
  const step = Math.min(ms, LONGEST_DELAY)
  set(setTimeout(() => (step < ms ? inSteps(ms - step, set, callback) : callback()), step))
}
