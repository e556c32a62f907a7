import { type CircuitBreaker, type Clock, heed, isThenable } from '@millrace/kit'
import { letGo } from '../../iterate/let-go.ts'
import { Deadlines } from '../../load/deadlines.ts'
import type { Store, StoreEntry, StoreItem, StoreLookup } from '../../store/contract/store.ts'
import type { RecoveryQueue } from '../recovery/recovery-queue.ts'
import { ClosableClock } from '../time/closable-clock.ts'
import { type CallHost, type PendingCall, StoreCall } from './store-call.ts'
import { CacheClosedError, StoreSuspendedError, StoreTimeoutError } from './tier-errors.ts'

/** What a {@link BoundedStore} is made of. */
export interface BoundedStoreOptions<V> {
  readonly store: Store<V>
  readonly clock: Clock
  /** ms for which an answer is waited for. */
  readonly timeout: number
  readonly breaker: CircuitBreaker
  /** Invalidations that the store may not know of yet. */
  readonly missed: RecoveryQueue
  /** What calls fail with after the end. Default: `CacheClosedError`. */
  readonly closed?: (() => Error) | undefined
}

/**
 * A store that may be slow, absent or broken. Loads go on without it: what fails or is late counts as a miss on reads, and as not done on
 * writes. Each call ends by the time-out, and a store that fails again and again is left alone for a while.
 */
export class BoundedStore<V> implements CallHost {
  readonly store: Store<V>
  readonly clock: Clock
  /** ms for which an answer is waited for. */
  readonly timeout: number
  readonly #timers: ClosableClock
  readonly #deadlines: Deadlines
  readonly #breaker: CircuitBreaker
  readonly #missed: RecoveryQueue
  /** Calls that did not end yet. */
  readonly #calls = new Set<PendingCall>()
  readonly #closedError: () => Error
  #closed = false
  failures = 0
  refusals = 0

  constructor(options: BoundedStoreOptions<V>) {
    const { store, clock, timeout, breaker, missed } = options
    this.store = store
    this.#closedError = options.closed ?? (() => new CacheClosedError())
    this.clock = clock
    this.timeout = timeout
    this.#timers = new ClosableClock(clock)
    this.#deadlines = new Deadlines(this.#timers, ms => new StoreTimeoutError(ms))
    this.#breaker = breaker
    this.#missed = missed
  }

  /** Rejects if the store does not answer. */
  async readMany(keys: readonly string[]): Promise<(StoreEntry<V> | undefined)[]> {
    const [only] = keys
    const read = this.#missed.beginRead()
    try {
      const entries = await this.call(async store =>
        this.#entries(
          keys,
          keys.length === 1 ? [await store.get(only!)] : await store.getMany(keys),
        ),
      )
      return this.#judged(keys, entries, read)
    } finally {
      this.#missed.endRead(read)
    }
  }

  /** `undefined` if the store does not answer. */
  getMany(keys: readonly string[]): Promise<(StoreEntry<V> | undefined)[] | undefined> {
    return unlessFailed(this.readMany(keys))
  }

  /**
   * The keys that begin with `prefix`, so many at a time. Each step has its time-out.
   *
   * @param mayGoOn throws where the search has to end
   */
  async *pages(
    prefix: string,
    size: number,
    mayGoOn: () => void,
  ): AsyncGenerator<string[], void, undefined> {
    const keys = await this.call(async store => listingOf(store.keys({ prefix })))
    try {
      let page: string[] = []
      for (;;) {
        const key = await this.call(async () => keyOf(await keys.next()))
        if (key === undefined) break
        mayGoOn()
        if (page.push(key) < size) continue
        yield page
        page = []
      }
      if (page.length !== 0) yield page
    } finally {
      letGo(keys)
    }
  }

  /** `undefined` if the store does not answer: then nothing may be written. */
  lookup(keys: readonly string[]): Promise<StoreLookup<V> | undefined> {
    const read = this.#missed.beginRead()
    const call = this.#ask(
      store => store.lookup(keys),
      ({ entries, fence }) => ({ entries: this.#entries(keys, entries), fence }),
    )
    return call.then(
      found => {
        const entries = this.#judged(keys, found.entries, read)
        this.#missed.endRead(read)
        return { entries, fence: found.fence }
      },
      () => {
        this.#missed.endRead(read)
        return undefined
      },
    )
  }

  /** For each item `false` if the store refused it, as it was invalidated since its fence or cannot be kept. */
  async setMany(items: readonly StoreItem<V>[]): Promise<readonly boolean[]> {
    // What an invalidation will be repeated for would be in the store for a moment only.
    const due = items.filter(({ key, tags }) => !this.#missed.verdict(key, tags ?? []))
    const stored =
      due.length === 0
        ? []
        : await unlessFailed(this.call(async store => answersOf(due, await store.setMany(due))))
    if (stored === undefined) return items.map(() => true)
    for (const kept of stored) if (!kept) this.refusals++
    if (due.length === items.length) return stored
    const refused = new Set(due.filter((_, index) => !stored[index]))
    return items.map(item => !refused.has(item))
  }

  /**
   * The answer of the store.
   *
   * @param late is told how a call ended that was given up
   * @throws {StoreTimeoutError} after the time-out, {@link StoreSuspendedError} where the store is not asked, and what the store throws
   */
  call<T>(work: (store: Store<V>) => PromiseLike<T>, late?: () => void): Promise<T> {
    return this.#ask(work, asIs, late)
  }

  /** Lets no call begin any more; resolves when those that run have ended. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(Array.from(this.#calls, ({ promise }) => promise))
    this.#timers.close()
  }

  /** As {@link call}; what `take` throws for an answer is a failure of the store. */
  #ask<T, R>(
    work: (store: Store<V>) => PromiseLike<T>,
    take: (answer: T) => R,
    late?: () => void,
  ): Promise<R> {
    if (this.#closed) return Promise.reject(this.#closedError())
    const rest = this.#breaker.enter()
    if (rest > 0) return Promise.reject(new StoreSuspendedError(rest))
    const { clock, timeout } = this
    const call = new StoreCall<T, R>({ started: clock.now(), take, host: this, late })
    this.#calls.add(call)
    this.#deadlines.add(call, timeout)
    call.begin(() => work(this.store))
    return call.promise
  }

  /** A call is over. */
  onEnd(call: PendingCall, failed: boolean, error: unknown): void {
    this.#deadlines.remove(call, this.timeout)
    this.#calls.delete(call)
    // A store that says what is wrong with a value, or that it is closed, is there.
    this.#breaker.settle(!failed || isAnswer(error))
    if (failed && !isRefusal(error)) this.failures++
  }

  /** What is no entry is none, and counts as a failure of the store. */
  #entries(
    keys: readonly string[],
    answers: readonly (StoreEntry<V> | undefined)[],
  ): readonly (StoreEntry<V> | undefined)[] {
    return answersOf(keys, answers).map(entry => {
      if (entry === undefined || isEntry(entry)) return entry
      if (entry !== null) this.failures++
      return undefined
    })
  }

  /** The entries as they are if the store had heard of all invalidations before it was read. */
  #judged(
    keys: readonly string[],
    entries: readonly (StoreEntry<V> | undefined)[],
    read: number | undefined,
  ): (StoreEntry<V> | undefined)[] {
    if (this.#missed.size === 0 && read === undefined)
      return entries as (StoreEntry<V> | undefined)[]
    return entries.map((entry, index) => {
      const verdict = entry && this.#missed.verdict(keys[index]!, entry.tags, read)
      if (verdict === 'delete') return undefined
      return verdict === 'expire' ? { ...entry!, expires: 0 } : entry
    })
  }
}

/**
 * What a store answered, one thing for each of `asked`.
 *
 * @throws {TypeError} unless it did
 */
export function answersOf<T>(asked: readonly unknown[], answers: readonly T[]): readonly T[] {
  if (Array.isArray(answers) && answers.length === asked.length) return answers
  throw new TypeError('The store did not answer for each of the keys')
}

/** How many a store says it had; one that does not say had none that is known. */
export function countOf(answer: unknown): number {
  return typeof answer === 'number' && answer > 0 ? answer : 0
}

/** Whether what a store has under a key can be used: none of `null`, which many a store means by nothing, and of what is no entry. */
function isEntry(entry: StoreEntry<unknown> | undefined): boolean {
  if (typeof entry !== 'object' || entry === null) return false
  const { value, expires, tags } = entry
  return (
    value !== undefined &&
    !isThenable(value) &&
    typeof expires === 'number' &&
    Array.isArray(tags) &&
    tags.every(tag => typeof tag === 'string')
  )
}

/**
 * The iterator of what a store lists.
 *
 * @throws {TypeError} unless it is an async iterable
 */
function listingOf(listing: AsyncIterable<string>): AsyncIterator<string> {
  if (typeof listing?.[Symbol.asyncIterator] === 'function') return listing[Symbol.asyncIterator]()
  // Of a promise nobody would wait for the rejection.
  heed(listing)
  throw new TypeError('The store did not list its keys as an async iterable')
}

/**
 * The next key that a store lists; `undefined` if there is none.
 *
 * @throws {TypeError} if that is none
 */
function keyOf(step: IteratorResult<string>): string | undefined {
  if (step?.done === true) return undefined
  if (typeof step?.value === 'string') return step.value
  throw new TypeError('The store listed what is no key')
}

function asIs<T>(answer: T): T {
  return answer
}

/** For reads, and writes of what was loaded: a failure was counted, and is as good as a miss. */
function unlessFailed<T>(call: Promise<T>): Promise<T | undefined> {
  return call.catch(() => undefined)
}

/** Whether the store, which is well, found fault with what it was given. */
function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ERR_MILLRACE_UNENCODABLE_VALUE' || code === 'ERR_MILLRACE_INVALID_OPTION'
}

function isAnswer(error: unknown): boolean {
  return isRefusal(error) || codeOf(error) === 'ERR_MILLRACE_STORE_CLOSED'
}

/** The code of what a store threw, be it what it may. */
export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null | undefined)?.code
}
