import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '@millrace/cache-core'
import {
  checkClock,
  checkInteger,
  checkPositiveOrInfinity,
  checkRecord,
  checkSignal,
  checkText,
  counters,
  describeStats,
  gauges,
  InvalidOptionError,
  monotonicClock,
  type OptionRules,
  type Resolved,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { ParsePoolClosedError, ParseQueueFullError, ParseTimeoutError } from '../errors.ts'
import { PARSE_PROGRAM } from '../thread-programs.ts'
import type { ParseSource } from './parse-cache.ts'
import type { ParseJob, ParseOutcome, ParseWorkerData } from './parse-messages.ts'

/** Options of a {@link ParsePool}. */
export interface ParsePoolOptions {
  /** Module that exports the parser: a URL, or an absolute path. */
  readonly module: URL | string
  /** Name of the export, a function `(text, { variant, hash, path }) => T | Promise<T>`. Its results are cloned. Default: `parse`. */
  readonly name?: string | undefined
  /** Threads, an integer >= 1. Default: one less than the machine has, at least 1. */
  readonly workers?: number | undefined
  /** Sources that wait at most, an integer >= 0; beyond, a call is a `ParseQueueFullError`. Default: 10,000. */
  readonly maxQueue?: number | undefined
  /** ms one source may take, > 0 (Infinity for no limit); then its thread is ended, whatever it does, and another one started. Default: 60,000. */
  readonly timeout?: number | undefined
  /** Source of time. Default: the monotonic clock. */
  readonly clock?: Clock | undefined
}

/** Counters of a {@link ParsePool}. */
export interface ParsePoolStats {
  /** Threads that run. */
  readonly workers: number
  /** Sources being parsed. */
  readonly running: number
  /** Sources that wait. */
  readonly queued: number
  readonly parsed: number
  readonly failures: number
  /** Threads that ended by themselves, or were ended for taking too long. */
  readonly restarts: number
}

type Settings = Resolved<ParsePoolOptions>

const OPTIONS: OptionRules<ParsePoolOptions, Settings> = {
  module: (option, module) =>
    module instanceof URL ? module : pathToFileURL(checkText(option, module)),
  name: withDefault('parse', checkText),
  workers: (option, workers = Math.max(1, availableParallelism() - 1)) =>
    checkInteger(option, workers, 1),
  maxQueue: withDefault(10_000, checkInteger, 0),
  timeout: withDefault(60_000, checkPositiveOrInfinity),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}

interface Task {
  readonly text: string
  readonly source: ParseSource
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * A parser in threads of its own, behind a bounded queue: give `pool.parse` to a `ParseCache` or `Facts`. Worth it for facts; a whole syntax
 * tree takes longer to be cloned than to be parsed. A parser that never returns, or ends its thread, costs its own source only.
 */
export class ParsePool<T> implements AsyncDisposable {
  readonly #data: ParseWorkerData
  readonly #settings: Settings
  readonly #threads = new Set<ParseThread>()
  readonly #queue = new Set<Task>()
  #closed = false
  #counts = { parsed: 0, failures: 0, restarts: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: ParsePoolOptions) {
    this.#settings = resolveOptions('', options, OPTIONS)
    const { module, name } = this.#settings
    this.#data = { module: String(module), name }
  }

  /**
   * Parses in a thread.
   *
   * @throws {ParseQueueFullError}
   * @throws {ParseTimeoutError}
   * @throws {ParsePoolClosedError}
   * @throws {InvalidOptionError} also where the module has no such function
   * @throws what the parser throws, or ended its thread with
   */
  readonly parse = (text: string, source: ParseSource): Promise<T> => {
    try {
      checkSource(text, source)
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#closed) return Promise.reject(new ParsePoolClosedError())
    if (source.signal.aborted) return Promise.reject(source.signal.reason)
    const idle = [...this.#threads].find(({ busy }) => !busy)
    const room = idle !== undefined || this.#threads.size < this.#settings.workers
    if (!room && this.#queue.size >= this.#settings.maxQueue) {
      return Promise.reject(new ParseQueueFullError(this.#settings.maxQueue))
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const task: Task = { text, source, resolve, reject }
    const abort = (): void => {
      this.#queue.delete(task)
      reject(source.signal.reason)
    }
    source.signal.addEventListener('abort', abort, { once: true })
    this.#queue.add(task)
    this.#assign(idle ?? (room ? this.#start() : undefined))
    return promise.finally(() => source.signal.removeEventListener('abort', abort)) as Promise<T>
  }

  stats(): ParsePoolStats {
    let running = 0
    for (const { busy } of this.#threads) if (busy) running++
    return { workers: this.#threads.size, running, queued: this.#queue.size, ...this.#counts }
  }

  /** Ends all threads; calls that wait are rejected. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { reject } of this.#queue) reject(new ParsePoolClosedError())
    this.#queue.clear()
    await Promise.all([...this.#threads].map(thread => thread.end(new ParsePoolClosedError())))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #start(): ParseThread {
    const thread = new ParseThread(this.#data, {
      clock: this.#settings.clock,
      timeout: this.#settings.timeout,
      onFree: () => this.#assign(thread),
      onEnd: () => this.#ended(thread),
      onOutcome: failed => {
        if (failed) this.#counts.failures++
        else this.#counts.parsed++
      },
    })
    this.#threads.add(thread)
    return thread
  }

  #assign(thread: ParseThread | undefined): void {
    if (thread === undefined || thread.busy) return
    const [task] = this.#queue
    if (task === undefined) return
    this.#queue.delete(task)
    thread.run(task)
  }

  #ended(thread: ParseThread): void {
    this.#threads.delete(thread)
    if (this.#closed) return
    this.#counts.restarts++
    if (this.#queue.size > 0) this.#assign(this.#start())
  }
}

describeStats<ParsePoolStats>(ParsePool.prototype, {
  ...gauges('workers', 'running', 'queued'),
  ...counters('parsed', 'failures', 'restarts'),
})

function checkSource(text: string, source: ParseSource): void {
  if (typeof text !== 'string') throw new InvalidOptionError('text', 'a string', text)
  checkRecord('source', source)
  checkSignal('source.signal', source.signal)
}

const noParser = (name: string): InvalidOptionError =>
  new InvalidOptionError('module', `a module that exports a function \`${name}\``, undefined)

interface ThreadOptions {
  readonly clock: Clock
  readonly timeout: number
  readonly onFree: () => void
  readonly onEnd: () => void
  readonly onOutcome: (failed: boolean) => void
}

/** One thread with at most one task. It keeps the process alive only while it has one. */
class ParseThread {
  readonly #worker: Worker
  readonly #options: ThreadOptions
  readonly #name: string
  #task: Task | undefined
  #id = 0
  #timer: Timer | undefined
  #ending = false

  constructor(workerData: ParseWorkerData, options: ThreadOptions) {
    this.#options = options
    this.#name = workerData.name
    this.#worker = new Worker(PARSE_PROGRAM, {
      eval: typeof PARSE_PROGRAM === 'string',
      workerData,
    })
    this.#worker.unref()
    this.#worker.on('message', (outcome: ParseOutcome | null) => this.#receive(outcome))
    // A value that cannot be made out here.
    this.#worker.on('messageerror', error => this.#receive({ id: this.#id, error }))
    this.#worker.on('error', error => {
      // It ends: what comes next is for another one.
      this.#ending = true
      this.#finish(error)
    })
    this.#worker.on('exit', code => {
      this.#ending = true
      this.#finish(new Error(`The parser ended its thread with ${code}`))
      options.onEnd()
    })
  }

  get busy(): boolean {
    return this.#ending || this.#task !== undefined
  }

  run(task: Task): void {
    const { timeout, clock } = this.#options
    this.#task = task
    this.#worker.ref()
    const { variant, hash, path } = task.source
    const id = ++this.#id
    const job: ParseJob = { id, text: task.text, source: { variant, hash, path } }
    this.#worker.postMessage(job)
    if (timeout === Infinity) return
    this.#timer = clock.setTimer(
      () => void this.end(new ParseTimeoutError('The parser', path, timeout)),
      timeout,
    )
  }

  /** Ends the thread, whatever it does; its task fails with the error. */
  async end(error: Error): Promise<void> {
    this.#ending = true
    this.#finish(error)
    await this.#worker.terminate()
  }

  /** A module may send messages of its own. */
  #receive(outcome: ParseOutcome | null): void {
    if (outcome?.noParser) {
      this.#ending = true
      this.#finish(noParser(this.#name))
      return
    }
    const task = this.#task
    if (task === undefined || outcome?.id !== this.#id) return
    this.#free()
    const failed = 'error' in outcome
    this.#options.onOutcome(failed)
    if (failed) task.reject(outcome.error)
    else task.resolve(outcome.value)
    this.#options.onFree()
  }

  #finish(error: unknown): void {
    const task = this.#task
    if (task === undefined) return
    this.#free()
    this.#options.onOutcome(true)
    task.reject(error)
  }

  #free(): void {
    this.#timer?.cancel()
    this.#task = undefined
    this.#worker.unref()
  }
}
