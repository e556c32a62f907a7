import { AsyncResource } from 'node:async_hooks'
import {
  checkFunction,
  checkInteger,
  checkOptions,
  checkPositive,
  type OptionNames,
} from '@millrace/kit'
import Bottleneck from 'bottleneck'

export interface JobBatcherOptions<T> {
  /** A batch is complete with so many items. Default: 100 */
  readonly maxSize?: number | undefined
  /** Or so long after its first item, in ms. Default: 100 */
  readonly maxTime?: number | undefined
  /** Processes a batch; its promise, if it returns one, is what {@link JobBatcher.add} waits for. */
  readonly run: (items: T[]) => unknown
}

const NAMES: OptionNames<JobBatcherOptions<unknown>> = { maxSize: true, maxTime: true, run: true }

/** Collects items into batches, by bottleneck's Batcher. */
export class JobBatcher<T> {
  readonly #batcher: Bottleneck.Batcher
  readonly #run: (items: T[]) => unknown
  readonly #context = new AsyncResource('millrace.JobBatcher')
  /** The outcome of the batch that is being collected. */
  #outcome = Promise.withResolvers<void>()

  /** @throws {InvalidOptionError} */
  constructor(options: JobBatcherOptions<T>) {
    const { maxSize = 100, maxTime = 100, run } = checkOptions('', options, NAMES)
    this.#run = checkFunction('run', run)
    this.#batcher = new Bottleneck.Batcher({
      maxSize: checkInteger('maxSize', maxSize, 1),
      maxTime: checkPositive('maxTime', maxTime),
    })
    // A batch belongs to no single caller: it runs in the context in which the batcher was made.
    this.#batcher.on('batch', items => this.#context.runInAsyncScope(() => this.#process(items)))
  }

  /** Adds an item and resolves when its batch has been processed. @throws (by rejection) what `run` throws */
  add(item: T): Promise<void> {
    const { promise } = this.#outcome
    void this.#batcher.add(item)
    return promise
  }

  #process(items: T[]): void {
    const { resolve, reject } = this.#outcome
    this.#outcome = Promise.withResolvers<void>()
    new Promise(settle => settle(this.#run(items))).then(() => resolve(), reject)
  }
}
