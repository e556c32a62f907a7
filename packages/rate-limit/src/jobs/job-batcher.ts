import { AsyncResource } from 'node:async_hooks'
import {
  checkFunction,
  checkInteger,
  checkOptions,
  checkPositive,
  monotonicClock,
  type OptionNames,
  setAwaitedTimer,
  type Timer,
} from '@millrace/kit'

export interface JobBatcherOptions<T> {
  /** A batch is complete with so many items. Default: 100 */
  readonly maxSize?: number | undefined
  /** Or so long after its first item, in ms. Default: 100 */
  readonly maxTime?: number | undefined
  /** Processes a batch; its promise, if it returns one, is what {@link JobBatcher.add} waits for. */
  readonly run: (items: T[]) => unknown
}

const NAMES: OptionNames<JobBatcherOptions<unknown>> = { maxSize: true, maxTime: true, run: true }

/** Collects items into batches. */
export class JobBatcher<T> {
  readonly #maxSize: number
  readonly #maxTime: number
  readonly #run: (items: T[]) => unknown
  readonly #context = new AsyncResource('millrace.JobBatcher')
  #items: T[] = []
  #timer: Timer | undefined
  /** The outcome of the batch that is being collected. */
  #outcome = Promise.withResolvers<void>()

  /** @throws {InvalidOptionError} */
  constructor(options: JobBatcherOptions<T>) {
    const { maxSize = 100, maxTime = 100, run } = checkOptions('', options, NAMES)
    this.#run = checkFunction('run', run)
    this.#maxSize = checkInteger('maxSize', maxSize, 1)
    this.#maxTime = checkPositive('maxTime', maxTime)
  }

  /** Adds an item and resolves when its batch has been processed. @throws (by rejection) what `run` throws */
  add(item: T): Promise<void> {
    const { promise } = this.#outcome
    if (this.#items.push(item) >= this.#maxSize) this.#process()
    else this.#timer ??= setAwaitedTimer(monotonicClock, () => this.#process(), this.#maxTime)
    return promise
  }

  #process(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const items = this.#items
    this.#items = []
    const { resolve, reject } = this.#outcome
    this.#outcome = Promise.withResolvers<void>()
    // A batch belongs to no single caller: it runs in the context in which the batcher was made.
    const run = () => this.#context.runInAsyncScope(() => this.#run(items))
    new Promise(settle => settle(run())).then(() => resolve(), reject)
  }
}
