import { EventEmitter } from 'node:events'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import type { Aggregation } from '../metric/family-description.ts'
import { ClusterReceiver, ClusterSender } from '../workers.ts'

const samples = (registry: Registry, name: string): string[] =>
  registry
    .toPrometheus()
    .split('\n')
    .filter(line => line.startsWith(name))

/** Another process with a gauge, which tells `here` of it when it is set. */
function process(here: Registry, aggregate: Aggregation, label?: string) {
  const source = new EventEmitter()
  new ClusterReceiver(here).attach(source)
  const there = new Registry()
  const labels = ['of'] as const
  const gauge =
    label === undefined
      ? there.gauge('level', { aggregate })
      : there.gauge('level', { aggregate, labels }).labels({ of: label })
  const sender = new ClusterSender(there, { send: message => source.emit('message', message) })
  return {
    set(value: number) {
      gauge.set(value)
      sender.flush()
    },
    die: () => source.emit('exit'),
  }
}

describe('a gauge of several processes', () => {
  it.each([
    { aggregate: 'sum', of: [7, 12, 62, 55, 50] },
    { aggregate: 'min', of: [7, 5, 5, 5, 50] },
    { aggregate: 'max', of: [7, 7, 50, 50, 50] },
    { aggregate: 'last', of: [7, 5, 50, 50, 50] },
  ] as const)('counts what is set here, too, and loses with them only theirs: $aggregate', row => {
    const here = new Registry()
    const gauge = here.gauge('level', { aggregate: row.aggregate })
    const [a, b] = [process(here, row.aggregate), process(here, row.aggregate)]
    const seen: number[] = []
    const steps = [() => a.set(7), () => b.set(5), () => gauge.set(50), a.die, b.die]
    for (const step of steps) {
      step()
      seen.push(gauge.value)
      expect(samples(here, 'level')).toEqual([`level ${gauge.value}`])
    }
    expect(seen).toEqual(row.of)
    expect(gauge.lastUpdate).toBeGreaterThan(0)
  })

  it.each(['sum', 'min', 'max', 'last'] as const)(
    'is as before it was first set once all are gone, not 0: %s',
    aggregate => {
      const here = new Registry()
      const [a, b] = [process(here, aggregate, 'x'), process(here, aggregate, 'x')]
      a.set(40)
      b.set(40)
      const alive = aggregate === 'sum' ? 80 : 40
      expect(samples(here, 'level')).toEqual([`level{of="x"} ${alive}`])
      a.die()
      expect(samples(here, 'level')).toEqual(['level{of="x"} 40'])
      b.die()
      expect(samples(here, 'level')).toEqual([])
      process(here, aggregate, 'x').set(3)
      expect(samples(here, 'level')).toEqual(['level{of="x"} 3'])
    },
  )

  it('keeps its handle through their deaths', () => {
    const here = new Registry()
    const family = here.gauge('level', { aggregate: 'max', labels: ['of'] })
    const handle = family.labels({ of: 'x' })
    const other = process(here, 'max', 'x')
    other.set(9)
    expect(handle.value).toBe(9)
    other.die()
    expect(samples(here, 'level')).toEqual([])
    handle.set(4)
    expect(samples(here, 'level')).toEqual(['level{of="x"} 4'])
  })

  it('comes back with what they tell after it expired', () => {
    const clock = new VirtualClock(1_700_000_000_000)
    const here = new Registry({ clock, retention: 10_000 })
    const family = here.gauge('level', { aggregate: 'max', labels: ['of'] })
    const handle = family.labels({ of: 'x' })
    const other = process(here, 'max', 'x')
    other.set(9)
    expect(handle.value).toBe(9)
    for (let second = 0; second < 20; second++) clock.advance(1000)
    expect(samples(here, 'level')).toEqual([])
    other.set(8)
    expect(samples(here, 'level')).toEqual(['level{of="x"} 8'])
    expect(handle.value).toBe(8)
  })
})
