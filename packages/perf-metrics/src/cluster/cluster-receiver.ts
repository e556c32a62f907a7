import { describeStats } from '@millrace/kit'
import { Contribution } from '../aggregate/contribution.ts'
import type { Family } from '../instrument/family.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Registry } from '../registry/registry.ts'
import { type DeltaMessage, type HistogramDelta, isDeltaMessage } from './messages.ts'

/** A child process, of `node:child_process` or `node:cluster`. */
export interface MessageSource {
  on(event: 'message', listener: (message: unknown) => void): unknown
  once(event: 'exit', listener: () => void): unknown
}

/**
 * Adds what child processes report to a registry, and forgets the gauges of those that end. Counts stay, so sums never
 * fall when a process is replaced.
 */
export class ClusterReceiver {
  readonly #registry: Registry
  #received = 0

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** Listens to a process: `cluster.on('fork', worker => receiver.attach(worker))`. */
  attach(source: MessageSource): void {
    const sender = new Sender(this.#registry)
    source.on('message', message => {
      if (!isDeltaMessage(message)) return
      this.#received++
      sender.receive(message)
    })
    source.once('exit', () => sender.retire())
  }

  stats(): { received: number } {
    return { received: this.#received }
  }
}

/** What one process has told so far. */
class Sender {
  readonly #registry: Registry
  readonly #families: Family[] = []
  readonly #contributions = new Map<string, { contribution: Contribution; total: number }>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  receive({ families, series }: DeltaMessage): void {
    for (const description of families) this.#families.push(this.#registry.mirror(description))
    for (const { family, labelValues, value } of series) {
      const target = this.#families[family]
      if (target !== undefined) this.#add(target, labelValues, value)
    }
  }

  #add(family: Family, labelValues: readonly string[], value: number | HistogramDelta): void {
    if (typeof value !== 'number') {
      // A dead process takes nothing back of what it counted, so nothing need be remembered.
      const series = family.resolve(labelValues) as HistogramSeries
      series.absorb(value.distribution, value.classic)
      return
    }
    const key = JSON.stringify([family.description.name, ...labelValues])
    let entry = this.#contributions.get(key)
    if (entry === undefined) {
      entry = { contribution: new Contribution(family, labelValues), total: 0 }
      this.#contributions.set(key, entry)
    }
    entry.total = family.description.type === 'gauge' ? value : entry.total + value
    entry.contribution.update(entry.total)
  }

  retire(): void {
    for (const { contribution } of this.#contributions.values()) contribution.retire()
  }
}

describeStats<{ received: number }>(ClusterReceiver.prototype, { received: 'counter' })
