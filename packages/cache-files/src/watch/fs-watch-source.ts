import { Worker } from 'node:worker_threads'
import { WATCH_PROGRAM } from '../thread-programs.ts'
import type { WatchReply, WatchRequest, WatchWorkerData } from './watch-messages.ts'
import type { ReportedChanges, WatchSource } from './watch-source.ts'

/**
 * Watches by the system's own events, in a thread of its own. Complete on Linux while every folder could be watched; elsewhere its reports
 * are hints only.
 */
export class FsWatchSource implements WatchSource {
  readonly #settings: Omit<WatchWorkerData, 'root'>
  readonly #settling = new Map<number, () => void>()
  #worker: Worker | undefined
  #report: (changes: ReportedChanges) => void = () => undefined
  #nextId = 0
  #waiting = 0
  complete = false

  constructor(settings: Omit<WatchWorkerData, 'root'>) {
    this.#settings = settings
  }

  async start(root: string, report: (changes: ReportedChanges) => void): Promise<void> {
    this.#report = report
    const workerData: WatchWorkerData = { ...this.#settings, root }
    const worker = new Worker(WATCH_PROGRAM, {
      eval: typeof WATCH_PROGRAM === 'string',
      workerData,
      execArgv: [],
      stdin: false,
    })
    this.#worker = worker
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    worker.on('message', (reply: WatchReply) => {
      if (reply.kind === 'ready') {
        this.complete = reply.complete
        resolve()
      } else this.#receive(reply)
    })
    worker.on('error', error => {
      reject(error)
      this.#ended()
    })
    worker.on('exit', () => {
      resolve()
      this.#ended()
    })
    await this.#held(promise)
  }

  async settled(): Promise<void> {
    if (this.#worker === undefined) return
    const id = this.#nextId++
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#settling.set(id, resolve)
    this.#send({ kind: 'settle', id })
    await this.#held(promise)
  }

  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    this.complete = false
    this.#report = () => undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    worker.once('exit', () => resolve())
    this.#send({ kind: 'close' })
    await this.#held(promise)
  }

  #receive(reply: Exclude<WatchReply, { kind: 'ready' }>): void {
    if (reply.kind === 'changes') {
      this.#report(reply.changes)
      this.#send({ kind: 'taken' })
      return
    }
    this.complete = reply.complete && this.#worker !== undefined
    this.#settling.get(reply.id)?.()
    this.#settling.delete(reply.id)
  }

  #send(request: WatchRequest): void {
    this.#worker?.postMessage(request)
  }

  ref(): void {
    if (this.#waiting++ === 0) this.#worker?.ref()
  }

  unref(): void {
    if (--this.#waiting === 0) this.#worker?.unref()
  }

  /** Keeps the process alive while something waits, and only then. */
  async #held<T>(promise: Promise<T>): Promise<T> {
    // A new thread is held already.
    if (this.#waiting++ === 0) this.#worker?.ref()
    try {
      return await promise
    } finally {
      this.unref()
    }
  }

  /** From now on nothing is reported, so nothing is vouched for. */
  #ended(): void {
    if (this.#worker === undefined) return
    this.#worker = undefined
    this.complete = false
    this.#report({ paths: [], folders: [], all: 'lost' })
    for (const resolve of this.#settling.values()) resolve()
    this.#settling.clear()
  }
}
