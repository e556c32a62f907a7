import { Worker } from 'node:worker_threads'
import type { Clock } from '@millrace/cache-core'
import { setAwaitedTimer } from '@millrace/kit'
import { WATCH_PROGRAM } from '../thread-programs.ts'
import type { WatchReply, WatchRequest, WatchWorkerData } from './watch-messages.ts'
import type { ReportedChanges, WatchSource } from './watch-source.ts'

/** What is watched, and how. */
type WatchSettings = Omit<WatchWorkerData, 'root' | 'startAfter'>

/** ms between two threads, where one ends soon after it began. */
const RESTART_DELAY = 1_000
/** ms until the next try, where another thread could not begin. */
const RETRY_DELAY = 30_000
/** ms that a thread has to end by itself. */
const CLOSE_TIMEOUT = 1_000

/**
 * Watches by the system's own events, in a thread of its own. Complete on Linux while every folder could be watched; elsewhere its reports
 * are hints only. A thread that ends without being told to is replaced by another one, which begins with "anything may have changed".
 */
export class FsWatchSource implements WatchSource {
  readonly #settings: WatchSettings
  readonly #clock: Clock
  readonly #settling = new Map<number, () => void>()
  #root = ''
  #worker: Worker | undefined
  /** When the thread was begun. */
  #begun = -Infinity
  /** Whether watching has begun at least once. */
  #started = false
  /** Whether the present thread watches. */
  #ready = false
  #closing = false
  #report: (changes: ReportedChanges) => void = () => undefined
  #nextId = 0
  #waiting = 0
  complete = false

  constructor(settings: WatchSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  async start(root: string, report: (changes: ReportedChanges) => void): Promise<void> {
    this.#root = root
    this.#report = report
    await this.#held(this.#begin(0))
  }

  async settled(): Promise<void> {
    if (!this.#ready) return
    const id = this.#nextId++
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#settling.set(id, resolve)
    this.#send({ kind: 'settle', id })
    await this.#held(promise)
  }

  async close(): Promise<void> {
    this.#closing = true
    this.complete = false
    this.#report = () => undefined
    const worker = this.#worker
    if (worker === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    worker.once('exit', () => resolve())
    this.#send({ kind: 'close' })
    const timer = setAwaitedTimer(this.#clock, () => void worker.terminate(), CLOSE_TIMEOUT)
    await this.#held(promise)
    timer.cancel()
  }

  ref(): void {
    if (this.#waiting++ === 0) this.#worker?.ref()
  }

  unref(): void {
    if (--this.#waiting === 0) this.#worker?.unref()
  }

  /** Resolves when the thread watches, or has ended without an error. */
  #begin(startAfter: number): Promise<void> {
    const workerData: WatchWorkerData = { ...this.#settings, root: this.#root, startAfter }
    const worker = new Worker(WATCH_PROGRAM, {
      eval: typeof WATCH_PROGRAM === 'string',
      workerData,
      execArgv: [],
      stdin: false,
    })
    this.#worker = worker
    this.#begun = this.#clock.now() + startAfter
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    worker.on('message', (reply: WatchReply) => {
      if (reply.kind === 'ready') {
        this.#started = true
        this.#ready = true
        this.complete = reply.complete && !this.#closing
        resolve()
      } else this.#receive(reply)
    })
    worker.on('error', error => {
      reject(error)
      this.#ended(worker)
    })
    worker.on('exit', () => {
      resolve()
      this.#ended(worker)
    })
    return promise
  }

  #receive(reply: Exclude<WatchReply, { kind: 'ready' }>): void {
    if (reply.kind === 'changes') {
      this.#report(reply.changes)
      this.#send({ kind: 'taken' })
      return
    }
    this.complete = reply.complete && this.#ready && !this.#closing
    this.#settling.get(reply.id)?.()
    this.#settling.delete(reply.id)
  }

  #send(request: WatchRequest): void {
    this.#worker?.postMessage(request)
  }

  /** Keeps the process alive while something waits, and only then. */
  async #held<T>(promise: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#worker?.ref()
    try {
      return await promise
    } finally {
      this.unref()
    }
  }

  /** Until another thread watches nothing is reported, so nothing is vouched for. */
  #ended(worker: Worker): void {
    if (this.#worker !== worker) return
    const wasReady = this.#ready
    this.#worker = undefined
    this.#ready = false
    this.complete = false
    this.#report(ANYTHING)
    for (const resolve of this.#settling.values()) resolve()
    this.#settling.clear()
    // That the first one could not begin is told by `start`.
    if (!this.#started || this.#closing) return
    const wait = wasReady ? this.#begun + RESTART_DELAY - this.#clock.now() : RETRY_DELAY
    void this.#beginAgain(Math.max(0, wait))
  }

  async #beginAgain(startAfter: number): Promise<void> {
    try {
      const begun = this.#begin(startAfter)
      if (this.#waiting === 0) this.#worker?.unref()
      await begun
      this.#report(ANYTHING)
    } catch {
      // Nothing is vouched for, so every call looks for itself.
    }
  }
}

const ANYTHING: ReportedChanges = { paths: [], folders: [], all: 'lost' }
