import type { Deadlines, Expiring } from './deadlines.ts'
import { type LoadMessage, loadEnd, loadStart } from './load-channels.ts'

/** One call of a loader: its deadline, its signal, its diagnostics, and its only end. */
export abstract class LoadRun<R> implements Expiring {
  readonly started: number
  /** The loader is on the stack. */
  calling = false
  readonly #deadlines: Deadlines
  readonly #duration: number
  #message: LoadMessage | undefined
  #controller: AbortController | undefined
  #abortReason: unknown
  #aborted = false
  #ended = false
  /** Callers and background work that want the result; the last one to leave aborts the call. */
  #holders: number

  /**
   * @param started ms on the clock
   * @param duration ms after which the run fails; Infinity = never
   */
  constructor(started: number, deadlines: Deadlines, duration: number, holders: number) {
    this.started = started
    this.#deadlines = deadlines
    this.#duration = duration
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
  start(awaited: boolean): void {
    let result: R | PromiseLike<R>
    this.calling = true
    try {
      if (loadStart.hasSubscribers || loadEnd.hasSubscribers) {
        this.#message = { keys: this.keys(), awaited }
        result = loadStart.runStores(this.#message, () => this.call())
      } else {
        result = this.call()
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
    if (this.#duration !== Infinity && !this.#ended) this.#deadlines.add(this, this.#duration)
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

  /** What the loader was called for. */
  protected abstract keys(): readonly unknown[]
  protected abstract call(): R | PromiseLike<R>
  /** The run ended well. Called once, or `failed` is. */
  protected abstract succeeded(result: R): void
  protected abstract failed(error: unknown): void

  #succeed(result: R): void {
    if (this.#end()) this.succeeded(result)
  }

  #fail(error: unknown): void {
    if (this.#message !== undefined && !this.#ended) this.#message.error = error
    if (this.#end()) this.failed(error)
  }

  #end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    if (this.#duration !== Infinity) this.#deadlines.remove(this, this.#duration)
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
