import { setSystemTimer, type Timer } from '@millrace/kit'
import type { TracerStats } from './tracer-stats.ts'

/** What is flushed before the process ends. */
interface Flushable {
  stats(): Pick<TracerStats, 'ended'>
  flush(): Promise<void>
  flushSync(): void
}

/** Marks these listeners, also those of another copy of this package in the process: they are not the program's. */
const OURS = Symbol.for('millrace.tracer.exit-flush')

/** Times that an event loop that is empty is flushed for. */
const MAX_ROUNDS = 3

/** Signals whose flushes are under way. */
let signalled = 0

/** Forgets what was collected. */
const collected = new FinalizationRegistry<ExitFlush>(flush => flush.close())

/** One listener per process event serves all tracers. */
const listeners = new Map<string, { flushes: Set<ExitFlush>; listener: () => void }>()

/**
 * Flushes when the process is about to end: at an empty event loop, at signals, and as a last resort synchronously on
 * `exit`. A signal is raised again once the flush is over, or with the next signal, with its default effect, unless the program listens
 * for it too: then ending is the program's business.
 *
 * It does not keep its target in memory: that has nothing to flush where nothing else does.
 */
export class ExitFlush {
  readonly #target: WeakRef<Flushable>
  readonly #events: readonly string[]
  readonly #timeout: number
  /** Spans that had ended at the last flush. */
  #flushed = 0

  constructor(target: Flushable, signals: readonly NodeJS.Signals[], timeout: number) {
    this.#target = new WeakRef(target)
    collected.register(target, this, this)
    this.#timeout = timeout
    this.#events = ['beforeExit', 'exit', ...signals]
    for (const event of this.#events) listen(event).add(this)
  }

  close(): void {
    collected.unregister(this)
    for (const event of this.#events) {
      const entry = listeners.get(event)
      if (entry === undefined || !entry.flushes.delete(this) || entry.flushes.size > 0) continue
      process.off(event, entry.listener)
      listeners.delete(event)
    }
  }

  flushSync(): void {
    this.#target.deref()?.flushSync()
  }

  /** Resolves with whether it was over in time. */
  async flush(): Promise<boolean> {
    const target = this.#target.deref()
    if (target === undefined) return true
    this.#flushed = target.stats().ended
    let timer: Timer | undefined
    const timeout = new Promise<boolean>(resolve => {
      // It is what keeps the process alive while the flush is under way.
      timer = setSystemTimer(() => resolve(false), this.#timeout, true)
    })
    const inTime = await Promise.race([target.flush().then(() => true), timeout])
    timer?.cancel()
    return inTime
  }

  /** At an empty event loop: what ended since it was last empty, and was not sent in time, keeps no process. */
  async flushLast(): Promise<void> {
    if (this.#target.deref()?.stats().ended === this.#flushed) return
    if (!(await this.flush())) this.flushSync()
  }
}

function listen(event: string): Set<ExitFlush> {
  let entry = listeners.get(event)
  if (entry === undefined) {
    const flushes = new Set<ExitFlush>()
    entry = { flushes, listener: listenerFor(event, flushes) }
    listeners.set(event, entry)
    // First in line, so that it still sees the listeners that go as they are called: those of `process.once()`.
    process.prependListener(event as NodeJS.Signals, entry.listener)
  }
  return entry.flushes
}

function listenerFor(event: string, flushes: Set<ExitFlush>): () => void {
  if (event === 'exit') {
    return () => {
      for (const flush of flushes) flush.flushSync()
    }
  }
  if (event === 'beforeExit') {
    let rounds = 0
    return async () => {
      // The flush itself wakes the loop, and Node emits `beforeExit` again when it is empty once more. Other listeners may have made spans
      // by then, but one that makes some each time must not keep the process for ever.
      if (++rounds > MAX_ROUNDS) return
      await Promise.all(Array.from(flushes, flush => flush.flushLast()))
    }
  }
  const listener = async (): Promise<void> => {
    const programListens = process.listeners(event as NodeJS.Signals).some(isOfProgram)
    // A second signal, also another one, means now: it does not wait for a collector that hangs.
    if (signalled === 0 || programListens) {
      signalled++
      await flushAll(flushes)
      signalled--
    }
    if (programListens) return
    process.off(event, listener)
    // Another copy of this package still flushes: the last one raises the signal.
    if (process.listenerCount(event) === 0) process.kill(process.pid, event)
  }
  return Object.assign(listener, { [OURS]: true })
}

function isOfProgram(listener: object): boolean {
  return !(OURS in listener)
}

async function flushAll(flushes: ReadonlySet<ExitFlush>): Promise<void> {
  await Promise.all(Array.from(flushes, flush => flush.flush()))
}
