import type { Worker } from 'node:worker_threads'
import {
  checkInteger,
  checkMethods,
  checkOptions,
  describeStats,
  gauges,
  type OptionNames,
} from '@millrace/kit'
import { Contribution, type RemoteState } from '../aggregate/contribution.ts'
import { Mirror } from '../aggregate/mirror.ts'
import { wasSet } from '../instrument/gauge.ts'
import { readHistogramCells } from '../instrument/histogram-series.ts'
import type { Registration } from '../registry/registration.ts'
import type { Registry } from '../registry/registry.ts'
import { SharedRegistrations } from '../registry/shared-registrations.ts'
import { type DirectoryRecord, readRecords } from './directory.ts'
import {
  createLaneMemory,
  DIRECTORY_LENGTH,
  FENCE,
  type Lane,
  lanesOf,
  OWNER,
  UNSHARED,
} from './lane-memory.ts'

export interface SharedLanesOptions {
  /** Most worker threads at a time, 1 to 1,024. */
  readonly threads: number
  /**
   * Bytes per thread, 65,536 to 1,073,741,824. A counter takes 8 and its description some 200; a histogram 5,300, twice that once its
   * values span more than six decades. Series
   * without room are counted in `stats().unshared`. Default: 1 MiB
   */
  readonly bytesPerThread?: number | undefined
}

const OPTIONS: OptionNames<SharedLanesOptions> = { threads: true, bytesPerThread: true }

export interface SharedLanesStats {
  readonly lanes: number
  /** Lanes that belong to a thread. */
  readonly live: number
  /** Series that had no room and are missing from the sums. */
  readonly unshared: number
  /** Metrics that a thread defines otherwise than the registry, and that are missing from the sums. */
  readonly conflicts: number
}

/** Tries to read a histogram between two of its rearrangements before leaving it to the next scrape. */
const ATTEMPTS = 100

/**
 * Sums the metrics of worker threads without a message: every thread counts in a lane of one shared buffer, and the
 * registry of the main thread reads the lanes before each export. What a thread counted survives its death.
 */
export class SharedLanes {
  /** To hand to the workers, as `workerData`. */
  readonly buffer: SharedArrayBuffer
  readonly #lanes: readonly Lane[]
  readonly #conflicts = new Set<string>()
  readonly #aggregations = new SharedRegistrations<Registry>()
  /** They know what each registry has been told so far, which it must not be told again. */
  readonly #readers = new WeakMap<Registry, readonly LaneReader[]>()
  readonly #watched = new WeakSet<Worker>()

  constructor(options: SharedLanesOptions) {
    const { threads, bytesPerThread = 2 ** 20 } = checkOptions('', options, OPTIONS)
    checkInteger('threads', threads, 1, 1024)
    checkInteger('bytesPerThread', bytesPerThread, 65_536, 2 ** 30)
    const directoryBytes = Math.floor(bytesPerThread / 4)
    const cells = Math.floor((bytesPerThread - directoryBytes) / 8)
    this.buffer = createLaneMemory(threads, cells, directoryBytes)
    this.#lanes = lanesOf(this.buffer)
  }

  /**
   * Adds what the threads count to `registry`, before each of its exports. A metric that a thread defines with another type, other
   * labels or buckets than the registry is left out, with a process warning. Called again for the same registry it adds nothing twice:
   * what it returned last ends it, and a call after that takes it up again.
   */
  aggregateInto(registry: Registry): Registration {
    checkMethods('registry', registry, 'a Registry', ['addCollector', 'mirror'])
    return this.#aggregations.hold(registry, () => {
      let readers = this.#readers.get(registry)
      if (readers === undefined) {
        const mirror = new Mirror(registry, this.#conflicts)
        readers = this.#lanes.map(lane => new LaneReader(lane, mirror))
        this.#readers.set(registry, readers)
      }
      const each = readers
      return registry.addCollector(() => {
        for (const reader of each) reader.read()
      })
    })
  }

  /** Frees the lane of `worker` for another thread once it has exited, however it did. */
  watch(worker: Worker): void {
    const id = checkMethods('worker', worker, 'a Worker', ['once']).threadId
    if (this.#watched.has(worker)) return
    this.#watched.add(worker)
    worker.once('exit', () => {
      for (const lane of this.#lanes) release(lane, id)
    })
  }

  stats(): SharedLanesStats {
    return {
      lanes: this.#lanes.length,
      live: this.#lanes.filter(isLive).length,
      unshared: this.#lanes.reduce((sum, { state }) => sum + Atomics.load(state, UNSHARED), 0),
      conflicts: this.#conflicts.size,
    }
  }
}

function isLive({ state }: Lane): boolean {
  return Atomics.load(state, OWNER) !== 0
}

/** Frees the lane of an ended thread: values of the moment end with it, its counts stay. */
function release({ state, cells, directory }: Lane, threadId: number): void {
  if (Atomics.load(state, OWNER) !== threadId + 1) return
  for (const { description, at, size } of readRecords(
    directory,
    0,
    Atomics.load(state, DIRECTORY_LENGTH),
  )) {
    const { type } = description
    if (type === 'gauge' || type === 'updown') cells.fill(0, at, at + size)
  }
  Atomics.store(state, OWNER, 0)
}

class LaneReader {
  readonly #lane: Lane
  readonly #mirror: Mirror
  readonly #series: { record: DirectoryRecord; contribution: Contribution }[] = []
  #directoryRead = 0

  constructor(lane: Lane, mirror: Mirror) {
    this.#lane = lane
    this.#mirror = mirror
  }

  read(): void {
    const { state, directory } = this.#lane
    const length = Atomics.load(state, DIRECTORY_LENGTH)
    for (const record of readRecords(directory, this.#directoryRead, length)) {
      const family = this.#mirror.family(record.description)
      if (family === undefined) continue
      this.#series.push({ record, contribution: new Contribution(family, record.labelValues) })
    }
    this.#directoryRead = length
    for (const { record, contribution } of this.#series) {
      this.#mirror.add(record.description.name, () => {
        const value = this.#value(record)
        if (value !== undefined) contribution.update(value)
        else if (!isLive(this.#lane)) contribution.retire()
      })
    }
  }

  #value({ description, at }: DirectoryRecord): RemoteState | undefined {
    const { cells, state } = this.#lane
    if (description.type === 'counter') return cells[at]
    // Values of the moment end with their thread, and a gauge begins when it is first set.
    if (description.type === 'updown') return isLive(this.#lane) ? cells[at] : undefined
    if (description.type === 'gauge') {
      return isLive(this.#lane) && wasSet(cells, at) ? cells[at] : undefined
    }
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      Atomics.load(state, FENCE)
      const histogram = readHistogramCells(cells, at, description.buckets.length + 1)
      if (histogram !== undefined) return histogram
    }
    return undefined
  }
}

describeStats<SharedLanesStats>(SharedLanes.prototype, {
  ...gauges('lanes', 'live', 'unshared', 'conflicts'),
})
