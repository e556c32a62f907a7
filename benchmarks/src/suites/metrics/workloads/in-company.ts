import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import { timeInTurn } from '../../../measure/in-turn.ts'
import type { MetricsLibrary } from '../contenders/instruments.ts'
import { methods, statuses } from './labels.ts'

const operations = 20_000
const companyOperations = 500

type Labels = Readonly<Record<string, string>>

/** A counter of some library, and the label objects it is used with. */
interface Companion {
  inc(labels: Labels): void
  labelsOf(index: number): Labels
}

/**
 * Increments by a label object of one of 16 combinations, in a process in which counters of two libraries with one to five labels, their
 * objects written in several orders, are used in turn. Only the counter in question is timed.
 */
export function counterInCompany(library: MetricsLibrary): Prepare<number> {
  return async ({ quick }) => {
    const counter = await library.counter()
    const others = await company()
    let done = 0
    return {
      async measure() {
        const value = await timeInTurn({
          operations,
          quick,
          company() {
            for (const { inc, labelsOf } of others) {
              for (let i = 0; i < companyOperations; i++) inc(labelsOf(i))
            }
          },
          perform() {
            for (let i = 0; i < operations; i++) {
              const method = methods[i & 3]!
              const status = statuses[(i >>> 2) & 3]!
              counter.inc({ method, route: '/api/items', status })
            }
            done += operations
          },
        })
        assert.equal(await counter.total(), done)
        return { value, result: done }
      },
    }
  }
}

/** Labels as different parts of a service write them. */
const shapes: readonly ((index: number) => Labels)[] = [
  i => ({ queue: `queue-${i & 7}` }),
  i => ({ outcome: i & 1 ? 'hit' : 'miss', cache: `cache-${i & 3}` }),
  i => ({ cache: `cache-${i & 3}`, outcome: i & 1 ? 'hit' : 'miss' }),
  i => ({ status: statuses[i & 3]!, method: methods[(i >>> 2) & 3]!, route: '/' }),
  i => ({ host: 'a', zone: 'b', shard: `${i & 15}`, kind: 'read' }),
  i => ({ a: '1', b: '2', c: '3', d: `${i & 3}`, e: '5' }),
]

async function company(): Promise<Companion[]> {
  const { Registry } = await import('@millrace/perf-metrics')
  const prometheus = await import('@prometheus-io/client')
  const ours = new Registry()
  const theirs = new prometheus.Registry()
  return shapes.flatMap((labelsOf, at) => {
    const labelNames = Object.keys(labelsOf(0))
    const name = `company_${at}_total`
    const own = ours.counter(name, { labels: labelNames })
    const other = new prometheus.Counter({ name, help: name, labelNames, registers: [theirs] })
    return [
      { inc: labels => own.inc(labels), labelsOf },
      { inc: labels => other.inc(labels), labelsOf },
    ] satisfies Companion[]
  })
}
