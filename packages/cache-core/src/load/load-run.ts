import type { Clock, Timer } from '../clock.ts'
import { LoadTimeoutError } from '../errors.ts'
import { type LoadMessage, loadEnd, loadStart } from './load-channels.ts'

/** Who is told how a call of a loader ended: once, by one of the two. */
export interface LoadOutcome<R> {
  succeed(result: R): void
  fail(error: unknown): void
}

/** One call of a loader: its deadline, its signal, its diagnostics, and its only end. */
export class LoadRun<R> {
  readonly #outcome: LoadOutcome<R>
  #message: LoadMessage | undefined
  #timer: Timer | undefined
  #controller: AbortController | undefined
  #abortReason: unknown
  #aborted = false
  #ended = false
  /** The loader is on the stack. */
  calling = false
  /** Callers and background work that want the result; the last one to leave aborts the call. */
  #holders: number

  constructor(outcome: LoadOutcome<R>, holders: number) {
    this.#outcome = outcome
    this.#holders = holders
  }

  /** Made when first asked for: an AbortController costs more than a whole cache hit. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  /** Calls the loader. A result that is not a promise ends the run before this returns. */
  start(
    load: () => R | PromiseLike<R>,
    deadline: number,
    clock: Clock,
    keys: readonly unknown[],
    awaited: boolean,
  ): void {
    let result: R | PromiseLike<R>
    this.calling = true
    try {
      if (loadStart.hasSubscribers || loadEnd.hasSubscribers) {
        this.#message = { keys, awaited }
        result = loadStart.runStores(this.#message, load)
      } else {
        result = load()
      }
    } catch (error) {
      this.#fail(error)
      return
    } finally {
      this.calling = false
    }
    if (!isPromiseLike(result)) {
      this.#succeed(result)
      return
    }
    if (deadline !== Infinity && !this.#ended) {
      this.#timer = clock.setTimer(() => this.abort(new LoadTimeoutError(deadline)), deadline)
    }
    Promise.resolve(result).then(
      value => this.#succeed(value),
      error => this.#fail(error),
    )
  }

  /** One of those who wanted the result wants it no more. */
  release(reason: unknown): void {
    if (--this.#holders === 0) this.abort(reason)
  }

  /** Somebody wants the result again. */
  retain(): void {
    this.#holders++
  }

  /** Ends the run with `reason` as its failure; whatever the loader does afterwards is ignored. */
  abort(reason: unknown): void {
    if (this.#ended) return
    this.#aborted = true
    this.#abortReason = reason
    this.#fail(reason)
    this.#controller?.abort(reason)
  }

  #succeed(result: R): void {
    if (this.#end()) this.#outcome.succeed(result)
  }

  #fail(error: unknown): void {
    if (this.#message !== undefined && !this.#ended) this.#message.error = error
    if (this.#end()) this.#outcome.fail(error)
  }

  #end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#message !== undefined) loadEnd.publish(this.#message)
    return true
  }
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
