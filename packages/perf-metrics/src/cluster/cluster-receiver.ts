import { checkMethods, describeStats } from '@millrace/kit'
import { Contribution } from '../aggregate/contribution.ts'
import { Mirror } from '../aggregate/mirror.ts'
import type { Family } from '../instrument/family.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Registry } from '../registry/registry.ts'
import {
  type DeltaMessage,
  type HistogramDelta,
  isDelta,
  isDeltaMessage,
  isDescription,
} from './messages.ts'

/** A child process, of `node:child_process` or `node:cluster`. */
export interface MessageSource {
  on(event: 'message', listener: (message: unknown) => void): unknown
  once(event: 'exit', listener: () => void): unknown
}

export interface ClusterReceiverStats {
  /** Messages of all processes. */
  readonly received: number
  /** Metrics that a process defines otherwise than the registry, and that are missing from the sums. */
  readonly conflicts: number
}

/**
 * Adds what child processes report to a registry, and forgets the gauges of those that end. Counts stay, so sums never
 * fall when a process is replaced. A metric that a process defines with another type, other labels or buckets than the registry
 * is left out, with a process warning.
 */
export class ClusterReceiver {
  readonly #conflicts = new Set<string>()
  readonly #mirror: Mirror
  /** Those that are listened to: a second listener would count everything twice. */
  readonly #attached = new WeakSet<MessageSource>()
  #received = 0

  constructor(registry: Registry) {
    checkMethods('registry', registry, 'a Registry', ['mirror'])
    this.#mirror = new Mirror(registry, this.#conflicts)
  }

  /** Listens to a process: `cluster.on('fork', worker => receiver.attach(worker))`. Has no effect the second time. */
  attach(source: MessageSource): void {
    checkMethods('source', source, 'a child process', ['on', 'once'])
    if (this.#attached.has(source)) return
    this.#attached.add(source)
    const senders = new Map<number, Sender>()
    source.on('message', message => {
      if (!isDeltaMessage(message)) return
      this.#received++
      let sender = senders.get(message.sender)
      if (sender === undefined) senders.set(message.sender, (sender = new Sender(this.#mirror)))
      sender.receive(message)
    })
    source.once('exit', () => {
      for (const sender of senders.values()) sender.retire()
    })
  }

  stats(): ClusterReceiverStats {
    return { received: this.#received, conflicts: this.#conflicts.size }
  }
}

/** A series that a process reports. */
interface Contributed {
  readonly name: string
  readonly contribution: Contribution
  total: number
}

/** What one sender of a process has told so far. */
class Sender {
  readonly #mirror: Mirror
  /** By number; a metric that is left out keeps its place. */
  readonly #families: (Family | undefined)[] = []
  readonly #contributions = new Map<string, Contributed>()

  constructor(mirror: Mirror) {
    this.#mirror = mirror
  }

  receive({ families, series }: DeltaMessage): void {
    for (const one of families) {
      this.#families.push(isDescription(one) ? this.#mirror.family(one) : undefined)
    }
    for (const one of series) {
      const family = this.#families[one?.family]
      // What another version of this package sends in another form is left out: it must not end the parent.
      if (family === undefined || !isDelta(one, family.description)) continue
      const { labelValues, value } = one
      this.#mirror.add(family.description.name, () => {
        this.#add(family, labelValues, typeof value === 'string' ? Number(value) : value)
      })
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
      const { name } = family.description
      entry = { name, contribution: new Contribution(family, labelValues), total: 0 }
      this.#contributions.set(key, entry)
    }
    entry.total = family.description.type === 'gauge' ? value : entry.total + value
    entry.contribution.update(entry.total)
  }

  retire(): void {
    for (const { contribution, name } of this.#contributions.values()) {
      this.#mirror.add(name, () => contribution.retire())
    }
  }
}

describeStats<ClusterReceiverStats>(ClusterReceiver.prototype, {
  received: 'counter',
  conflicts: 'gauge',
})
