import type { Clock, Timer } from '@millrace/cache-core'
import {
  checkClock,
  checkInteger,
  checkList,
  checkMethods,
  checkNonNegative,
  checkOptions,
  checkPositive,
  checkPositiveOrInfinity,
  checkText,
  counters,
  describeStats,
  InvalidOptionError,
  monotonicClock,
  type OptionNames,
  setAwaitedTimer,
} from '@millrace/kit'
import type { FileTable } from '../table/file-table.ts'
import type { ChangeFeed, ChangeReports } from '../table/trust/change-feed.ts'
import { CoveredPaths } from './covered-paths.ts'
import { FsWatchSource } from './fs-watch-source.ts'
import { PendingChanges } from './pending-changes.ts'
import { PollSource } from './poll-source.ts'
import { type ReportedChanges, soundReport, type WatchSource } from './watch-source.ts'

/** Options of a {@link Watcher}. */
export interface WatcherOptions {
  /** The files to watch: those below its root. */
  readonly files: FileTable
  /** Where changes are learnt of: the system's events, looking again and again, or a source of the host's. Default: `watch`. */
  readonly source?: 'watch' | 'poll' | WatchSource | undefined
  /** Names of folders that are not watched, wherever they are; what is below them is looked at by each call. Default: `.git`, `node_modules`. */
  readonly ignore?: readonly string[] | undefined
  /** Changed paths held at most for each reader; beyond, anything may have changed. 1 or more. Default: 10,000. */
  readonly maxPending?: number | undefined
  /** ms for which changes wait for others to be reported with them, >= 0. Default: 20. */
  readonly delay?: number | undefined
  /** ms between looks of the source `poll`, > 0. Default: 1,000. */
  readonly pollInterval?: number | undefined
  /** ms after which everything is looked at once more, in case events were lost, > 0; Infinity for never. Default: 600,000. */
  readonly reconcileInterval?: number | undefined
  /**
   * ms within which the source has to say what has changed, > 0; until one that takes longer answers, every call looks for itself. Infinity
   * for no limit. Default: 10,000.
   */
  readonly settleTimeout?: number | undefined
  /** Source of time. Default: the monotonic clock. */
  readonly clock?: Clock | undefined
}

/** Changes that were reported together: one state of the world after another. */
export interface Tick extends ReportedChanges {
  /** Grows by one with each report. */
  readonly revision: number
}

/** Counters of a {@link Watcher}. */
export interface WatcherStats {
  /** Reports so far. */
  readonly revision: number
  /** Paths reported, one by one. */
  readonly changes: number
  /** Reports that anything may have changed. */
  readonly changesOfAll: number
  /** Present readers of ticks. */
  readonly consumers: number
  /** Whether what is not reported need not be looked at. */
  readonly complete: boolean
}

/** The names of {@link WatcherOptions}. */
export const WATCHER_OPTIONS: OptionNames<WatcherOptions> = {
  files: true,
  source: true,
  ignore: true,
  maxPending: true,
  delay: true,
  pollInterval: true,
  reconcileInterval: true,
  settleTimeout: true,
  clock: true,
}

/**
 * Watches the files of a table, so that what did not change needs no look at all. Events are hints: they mark paths as doubtful, and a
 * `stat` decides. After {@link settled}, everything that changed before is known. Where events may have been lost, all is doubtful.
 *
 * Iterated over, it gives ticks; each reader has its own bounded queue, in which ticks that were not taken become one.
 */
export class Watcher implements ChangeFeed, AsyncIterable<Tick>, AsyncDisposable {
  readonly #source: WatchSource
  readonly #covered: CoveredPaths
  readonly #reports: ChangeReports
  readonly #maxPending: number
  readonly #reconcileInterval: number
  readonly #settleTimeout: number
  readonly #clock: Clock
  readonly #readers = new Set<TickReader>()
  readonly #started: Promise<void>
  #ready = false
  /** Calls of the source that it has not answered in time. */
  #overdue = 0
  #closing: Promise<void> | undefined
  #timer: Timer | undefined
  #counts = { revision: 0, changes: 0, changesOfAll: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: WatcherOptions) {
    const {
      files,
      source = 'watch',
      clock = monotonicClock,
    } = checkOptions('', options, WATCHER_OPTIONS)
    const ignore = checkList('ignore', options.ignore ?? ['.git', 'node_modules'])
    for (const [index, name] of ignore.entries()) checkText(`ignore[${index}]`, name)
    const maxPending = checkInteger('maxPending', options.maxPending ?? 10_000, 1)
    const delay = checkNonNegative('delay', options.delay ?? 20)
    const pollInterval = checkPositive('pollInterval', options.pollInterval ?? 1_000)
    this.#reconcileInterval = checkPositiveOrInfinity(
      'reconcileInterval',
      options.reconcileInterval ?? 600_000,
    )
    this.#settleTimeout = checkPositiveOrInfinity('settleTimeout', options.settleTimeout ?? 10_000)
    checkMethods('files', files, 'a FileTable', ['follow'])
    checkClock('clock', clock)
    if (source === 'watch') this.#source = new FsWatchSource({ ignore, maxPending, delay }, clock)
    else if (source === 'poll')
      this.#source = new PollSource({ files, ignore, interval: pollInterval, clock })
    else if (typeof source === 'string') {
      throw new InvalidOptionError('source', "'watch', 'poll' or a WatchSource", source)
    } else
      this.#source = checkMethods('source', source, 'a WatchSource', ['start', 'settled', 'close'])
    this.#maxPending = maxPending
    this.#clock = clock
    this.#covered = new CoveredPaths(files.root, ignore)
    this.#reports = files.follow(this)
    this.#started = this.#start(files.root)
    // Told to those who wait for it by `settled`.
    this.#started.catch(() => undefined)
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Grows by one with each report: the state of the world that is known. */
  get revision(): number {
    return this.#counts.revision
  }

  covers(path: string): boolean {
    return this.#complete && this.#covered.has(path)
  }

  /**
   * Resolves when everything that changed before the call is known of, the first time when watching has begun; or when the source has not
   * said so within `settleTimeout`, as files are then looked at by each call until it does.
   *
   * @throws what the source throws where it could not begin; files are then looked at by each call
   */
  async settled(): Promise<void> {
    if (this.#overdue > 0) return
    const { complete } = this.#source
    if (!(await this.#inTime(this.#settleSource()))) {
      this.#receive({ paths: [], folders: [], all: 'lost' })
      return
    }
    // What was vouched for while it was complete is no longer.
    if (complete && !this.#source.complete && !this.closed) this.#reports.changedAll()
  }

  /** Everything is looked at once more. */
  reconcile(): void {
    this.#receive({ paths: [], folders: [], all: 'manual' })
  }

  [Symbol.asyncIterator](): AsyncIterator<Tick, undefined> {
    const reader = new TickReader(this.#maxPending, this.#source, () =>
      this.#readers.delete(reader),
    )
    if (this.closed) reader.end()
    else this.#readers.add(reader)
    return reader
  }

  stats(): WatcherStats {
    return {
      ...this.#counts,
      consumers: this.#readers.size,
      complete: this.#complete,
    }
  }

  /**
   * Ends watching and all iterations; the table looks for itself from now on. The source has `settleTimeout` to end: one that does not, or
   * fails, is told of by a process warning with the code MILLRACE_FILES_SOURCE_NOT_CLOSED.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #complete(): boolean {
    return this.#ready && this.#overdue === 0 && this.#source.complete
  }

  async #close(): Promise<void> {
    this.#ready = false
    this.#timer?.cancel()
    this.#reports.close()
    for (const reader of [...this.#readers]) reader.end()
    try {
      if (!(await this.#inTime(this.#closeSource()))) warnOfSource('did not close in time')
    } catch (error) {
      const { code, name } = Object(error) as NodeJS.ErrnoException
      warnOfSource(`failed to close (${code ?? name ?? 'unknown reason'})`)
    }
  }

  async #closeSource(): Promise<void> {
    await this.#source.close()
  }

  async #settleSource(): Promise<void> {
    await this.#started
    await this.#source.settled()
  }

  /** Whether the source answers in time; nothing is vouched for while it is late. */
  async #inTime(answer: Promise<void>): Promise<boolean> {
    if (this.#settleTimeout === Infinity) {
      await answer
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setAwaitedTimer(this.#clock, () => resolve(false), this.#settleTimeout)
    try {
      if (await Promise.race([answer.then(() => true), promise])) return true
    } finally {
      timer.cancel()
    }
    this.#overdue++
    const end = (): void => void this.#overdue--
    // A failure is told to the next call.
    answer.then(end, end)
    return false
  }

  async #start(root: string): Promise<void> {
    await this.#source.start(root, changes => this.#receive(changes))
    if (this.closed) return
    this.#ready = true
    this.#covered.forget()
    this.#wait()
  }

  #wait(): void {
    if (this.#reconcileInterval === Infinity) return
    this.#timer = this.#clock.setTimer(() => {
      this.#receive({ paths: [], folders: [], all: 'interval' })
      this.#wait()
    }, this.#reconcileInterval)
  }

  #receive(reported: ReportedChanges): void {
    if (this.closed) return
    const changes = soundReport(reported, this.#covered.root)
    const { paths, folders, all } = changes
    this.#counts.revision++
    this.#counts.changes += paths.length + folders.length
    if (all !== undefined || folders.length > 0) this.#covered.forget()
    if (all !== undefined) {
      this.#counts.changesOfAll++
      this.#reports.changedAll()
    } else {
      if (folders.length > 0) this.#reports.changedBelow(folders)
      this.#reports.changed([...paths, ...folders])
    }
    for (const reader of this.#readers) reader.add(changes, this.#counts.revision)
  }
}

describeStats<WatcherStats>(Watcher.prototype, {
  consumers: 'gauge',
  ...counters('revision', 'changes', 'changesOfAll'),
})

function warnOfSource(problem: string): void {
  process.emitWarning(`The source of a watcher ${problem}`, {
    code: 'MILLRACE_FILES_SOURCE_NOT_CLOSED',
  })
}

/** A reader of ticks, at its own pace. */
class TickReader implements AsyncIterator<Tick, undefined> {
  readonly #pending: PendingChanges
  readonly #source: WatchSource
  readonly #leave: () => void
  #revision = 0
  #ended = false
  #waiting: ((result: IteratorResult<Tick, undefined>) => void)[] = []

  constructor(limit: number, source: WatchSource, leave: () => void) {
    this.#source = source
    this.#pending = new PendingChanges(limit)
    this.#leave = leave
  }

  add(changes: ReportedChanges, revision: number): void {
    this.#pending.add(changes)
    this.#revision = revision
    const waiting = this.#waiting.shift()
    if (waiting === undefined) return
    this.#source.unref?.()
    waiting(this.#take())
  }

  async next(): Promise<IteratorResult<Tick, undefined>> {
    if (!this.#pending.isEmpty) return this.#take()
    if (this.#ended) return { done: true, value: undefined }
    this.#source.ref?.()
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  async return(): Promise<IteratorResult<Tick, undefined>> {
    this.end()
    return { done: true, value: undefined }
  }

  end(): void {
    this.#ended = true
    this.#leave()
    for (const resolve of this.#waiting.splice(0)) {
      this.#source.unref?.()
      resolve({ done: true, value: undefined })
    }
  }

  #take(): IteratorResult<Tick, undefined> {
    return { done: false, value: { ...this.#pending.take(), revision: this.#revision } }
  }
}
