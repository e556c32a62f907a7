import { Worker } from 'node:worker_threads'
import {
  type Clock,
  checkInteger,
  checkOptions,
  type OptionNames,
  setSystemTimer,
  type Timer,
} from '@millrace/kit'

/** Options of a {@link TickerClock}. */
export interface TickerOptions {
  /** ms between two ticks, an integer from 1 to 1,000. Default: 1 */
  readonly interval?: number | undefined
}

const NAMES: OptionNames<TickerOptions> = { interval: true }

/** The latest tick: ms since the thread was started. Without a thread, -1 less the latest reading that was asked of the system. */
const ELAPSED = 0
/** Set to 1 to end the thread. */
const STOP = 1
/** What 31 bits hold of ms: 24 days, after which a new thread starts at 0. */
const LONGEST_RUN = 2 ** 31 - 2 ** 20

/**
 * The thread's program; not a file of its own, which bundlers would not find. The first tick takes the place of the reading
 * that it was compared with or is taken anew: the thread may have been held up before it wrote, and time would run back for
 * code that went on asking the system.
 */
const PROGRAM = `
const { words, origin, interval, longestRun } = process.getBuiltinModule('node:worker_threads').workerData
const read = () => Number((process.hrtime.bigint() - origin) / 1000000n)
let asked, elapsed
do {
  asked = Atomics.load(words, ${ELAPSED})
  elapsed = read()
} while (Atomics.compareExchange(words, ${ELAPSED}, asked, elapsed) !== asked)
while (elapsed < longestRun && Atomics.wait(words, ${STOP}, 0, interval) === 'timed-out') {
  elapsed = read()
  if (elapsed < longestRun) Atomics.store(words, ${ELAPSED}, elapsed)
}
Atomics.store(words, ${ELAPSED}, -1)
`

/**
 * Monotonic time that a thread of its own writes into shared memory, for caches whose entries expire and are read millions of
 * times a second: a reading is one load instead of a call of the system, which takes longer than the rest of a hit. As the
 * thread does not wait for the event loop, neither does time: a value that expires while code blocks is not served to that code.
 *
 * The time is behind by `interval` at most, and by what the operating system takes to run the thread, which matters where there
 * are fewer processors than busy threads. The thread costs the memory of an isolate, and a few percent of a processor at an interval of 1 ms; share one clock among all
 * caches. It does not keep the process alive. Until it has begun, and after `close()`, readings ask the system.
 */
export class TickerClock implements Clock {
  readonly #interval: number
  readonly #origin = process.hrtime.bigint()
  /** When the thread was started, ms since this clock was made. */
  #base = 0
  #words: Int32Array = new Int32Array([-1, 0])
  #closed = false

  /** @throws {InvalidOptionError} if `interval` is outside its bounds, or for an unknown option. */
  constructor(options: TickerOptions = {}) {
    checkOptions('', options, NAMES)
    const { interval = 1 } = options
    this.#interval = checkInteger('interval', interval, 1, 1_000)
    this.#start()
  }

  /** ms since this clock was made. */
  now(): number {
    // Not `Atomics.load`, which is a call. Nothing else is read, so no order is needed; V8 moves no
    // load of an array out of a loop, which a test sees to.
    const elapsed = this.#words[ELAPSED]!
    return elapsed < 0 ? this.#base + this.#askThreadless(elapsed) : this.#base + elapsed
  }

  /** Whether the thread is running. */
  get ticking(): boolean {
    return Atomics.load(this.#words, ELAPSED) >= 0
  }

  setTimer(callback: () => void, delay: number): Timer {
    return setSystemTimer(callback, delay)
  }

  /** Ends the thread. The clock goes on. */
  close(): void {
    this.#closed = true
    Atomics.store(this.#words, STOP, 1)
    Atomics.notify(this.#words, STOP)
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close()
  }

  /** ms since the thread was started, for which the system is asked unless the thread has just begun. */
  #askThreadless(word: number): number {
    const elapsed = this.#ask() - this.#base
    const asked = -1 - Math.min(elapsed, LONGEST_RUN)
    const tick = Atomics.compareExchange(this.#words, ELAPSED, word, asked)
    return tick < 0 ? elapsed : tick
  }

  #ask(): number {
    return Number((process.hrtime.bigint() - this.#origin) / 1_000_000n)
  }

  #start(): void {
    const words = new Int32Array(new SharedArrayBuffer(8))
    words[ELAPSED] = -1
    this.#words = words
    this.#base = this.#ask()
    const origin = this.#origin + BigInt(this.#base) * 1_000_000n
    const worker = new Worker(PROGRAM, {
      eval: true,
      workerData: { words, origin, interval: this.#interval, longestRun: LONGEST_RUN },
      resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 },
    })
    worker.unref()
    // A thread that could not start or was killed leaves a clock that asks the system: slower, never wrong.
    worker.once('error', () => {
      this.#closed = true
      Atomics.store(words, ELAPSED, -1)
    })
    worker.once('exit', () => {
      if (!this.#closed) this.#start()
    })
  }
}
