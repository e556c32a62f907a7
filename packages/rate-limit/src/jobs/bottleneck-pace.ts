import { setSystemTimer } from '@millrace/kit'
import type Bottleneck from 'bottleneck'
import type { RedisSlots } from './redis-slots.ts'

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
  readonly Events: { trigger(name: string, error: unknown): unknown }
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
  /** When it was registered, ms of `Date.now()`; NaN where that says nothing, as starts are not counted in Redis. */
  readonly registered: number
  slot: Slot
}

/** When a start is due. */
interface Slot {
  /** Ms of `performance.now()`. */
  readonly at: number
  /** The same, ms of `Date.now()` as the store counts it. */
  readonly stored: number
}

/**
 * The jobs that bottleneck has let through ahead of their time, as it does where there is a least time between starts. One that is taken
 * out leaves its slot to those behind it, and the last slot is free again. Where slots are counted in Redis those behind it are this process',
 * and the last slot is free again unless another process has a later one: then the next start of this process has it.
 *
 * Timers are set in steps: bottleneck's fire at once beyond 24.8 days, which a long queue comes to.
 */
export class BottleneckPace {
  readonly #limiter: Bottleneck
  readonly #internals: Internals
  /** By their slots. */
  readonly #paced: Paced[] = []
  readonly #slots: RedisSlots | undefined
  readonly #registered = new Map<string, number>()
  /** Slots of this process that nothing uses, and that are not the last of all. */
  readonly #free: Slot[] = []

  /**
   * @param unwanted whether a job was taken out while bottleneck let it through; asked once
   * @param slots where starts are counted in Redis
   */
  constructor(limiter: Bottleneck, unwanted: (id: string) => boolean, slots?: RedisSlots) {
    this.#limiter = limiter
    this.#slots = slots
    const internals = limiter as unknown as Internals
    this.#internals = internals
    internals._run = (index, job, wait) => {
      job.doRun()
      const scheduled: Scheduled = { job, timeout: undefined, expiration: undefined }
      internals._scheduled[index] = scheduled
      const registered = this.#registered.get(index) ?? Number.NaN
      this.#registered.delete(index)
      // The store's times are the wall clock's.
      const stored = (Number.isNaN(registered) ? Date.now() : registered) + wait
      const slot = { at: performance.now() + wait, stored }
      const paced = { index, job, scheduled, refills: this.#refills, registered, slot }
      this.#paced.push(paced)
      this.#advance(paced)
      this.#await(paced)
      if (unwanted(job.options.id)) this.withdraw(job.options.id)
      return scheduled
    }
  }

  /** Hears that bottleneck has asked whether a start may be let through, and what it heard. */
  registered(index: string, started: boolean): void {
    const at = this.#slots?.registered(index)
    if (at !== undefined && started) this.#registered.set(index, at)
  }

  /** Takes a job out. @returns whether it was there */
  withdraw(id: string): boolean {
    const place = this.#paced.findLastIndex(({ job }) => job.options.id === id)
    if (place < 0) return false
    const [paced] = this.#paced.splice(place, 1) as [Paced]
    const { index, job, scheduled, slot } = paced
    clearTimeout(scheduled.timeout)
    delete this.#internals._scheduled[index]
    const free = this.#passOn(slot, place)
    job.doDrop()
    void this.#internals._free(index, job, job.options, {})
    if (this.#slots === undefined) this.#giveBack(paced, free)
    else void this.#release(this.#slots, free, paced.registered, job.options.weight)
    return true
  }

  /** Undoes in a local scheduler what was counted for a start. */
  #giveBack({ job, refills }: Paced, free: Slot): void {
    const { _store: store } = this.#internals
    if (store._nextRequest !== undefined) {
      const next = Date.now() + free.at - performance.now()
      store._nextRequest = Math.min(store._nextRequest, next)
    }
    const { weight } = job.options
    // What was refilled since does not miss it.
    if (weight > 0 && refills === this.#refills && store.storeOptions.reservoir != null) {
      void this.#limiter.incrementReservoir(weight)
    }
  }

  /** Undoes it in Redis, or keeps the slot for the next start of this process. */
  async #release(slots: RedisSlots, slot: Slot, since: number, weight: number): Promise<void> {
    try {
      if (!(await slots.release(slot.stored, since, weight))) this.#keep(slots, slot)
    } catch (error) {
      this.#internals.Events.trigger('error', error)
    }
  }

  #keep(slots: RedisSlots, slot: Slot): void {
    // Some may have been let through while Redis was asked.
    const later = this.#paced.findIndex(paced => paced.slot.at > slot.at)
    if (later >= 0) {
      void this.#release(slots, this.#passOn(slot, later), Number.NaN, 0)
      return
    }
    const place = this.#free.findLastIndex(({ at }) => at < slot.at) + 1
    this.#free.splice(place, 0, slot)
  }

  /** Gives a slot to the start at a place, its to the next, and so on. @returns the last, which is free */
  #passOn(slot: Slot, place: number): Slot {
    let free = slot
    for (const later of this.#paced.slice(place)) {
      const left = later.slot
      later.slot = free
      free = left
      this.#await(later)
    }
    return free
  }

  /** Gives a start that was let through just now a slot of this process that is free and earlier. */
  #advance(paced: Paced): void {
    const now = performance.now()
    while (this.#free.length > 0 && this.#free[0]!.at < now) this.#free.shift()
    const [free] = this.#free
    if (this.#slots === undefined || free === undefined || free.at >= paced.slot.at) return
    this.#free.shift()
    const { slot } = paced
    paced.slot = free
    void this.#release(this.#slots, slot, paced.registered, 0)
  }

  get #refills(): number {
    const { _lastReservoirRefresh = 0, _lastReservoirIncrease = 0 } = this.#internals._store
    return _lastReservoirRefresh + _lastReservoirIncrease
  }

  #await(paced: Paced): void {
    const { scheduled } = paced
    clearTimeout(scheduled.timeout)
    setSystemTimer(
      () => this.#start(paced),
      Math.max(0, paced.slot.at - performance.now()),
      true,
      timeout => {
        scheduled.timeout = timeout
      },
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
      setSystemTimer(
        () => job.doExpire(clear, run, free),
        expiration,
        true,
        timeout => {
          scheduled.expiration = timeout
        },
      )
    }
    job.doExecute(internals._limiter, clear, run, free)
  }
}
