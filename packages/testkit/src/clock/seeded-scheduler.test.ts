import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../random/runs.ts'
import { everyInterleaving, SeededScheduler } from './seeded-scheduler.ts'

/** Two writers that read, then write back: the classic lost update. */
async function lostUpdate(scheduler: SeededScheduler): Promise<number> {
  let stored = 0
  const increment = async (name: string) => {
    const seen = stored
    await scheduler.gate(`${name} writes`)
    stored = seen + 1
  }
  const start = (name: string) => scheduler.defer(() => increment(name), `${name} reads`)
  const both = Promise.all([start('a'), start('b')])
  await scheduler.settle()
  await both
  return stored
}

describe('SeededScheduler', () => {
  test('the same seed gives the same order, other seeds others', () =>
    fc.assert(
      fc.asyncProperty(fc.integer(), async seed => {
        const order = async () => {
          const scheduler = new SeededScheduler(seed)
          const labels = ['a', 'b', 'c', 'd', 'e'].map(label => scheduler.gate(label))
          await scheduler.settle()
          await Promise.all(labels)
          return scheduler.trace.join('')
        }
        const first = await order()
        expect(await order()).toBe(first)
        expect([...first].sort().join('')).toBe('abcde')
      }),
      { numRuns: runs(50) },
    ))

  test('some seed finds the lost update and some seed does not', async () => {
    const results = new Set<number>()
    for (let seed = 0; seed < 20; seed++) results.add(await lostUpdate(new SeededScheduler(seed)))
    expect(results).toEqual(new Set([1, 2]))
  })

  test('everyInterleaving visits each order once', async () => {
    const orders: string[] = []
    const count = await everyInterleaving(async scheduler => {
      const gates = ['a', 'b', 'c'].map(label => scheduler.gate(label))
      await scheduler.settle()
      await Promise.all(gates)
      orders.push(scheduler.trace.join(''))
    })
    expect(count).toBe(6)
    expect(new Set(orders).size).toBe(6)
  })

  test('everyInterleaving names the order that fails', async () => {
    const found = everyInterleaving(async scheduler => {
      expect(await lostUpdate(scheduler)).toBe(2)
    })
    await expect(found).rejects.toThrow(
      'Fails when released in this order: a reads, b reads, a writes, b writes',
    )
  })

  test('everyInterleaving stops at its limit', async () => {
    const endless = everyInterleaving(
      async scheduler => {
        for (let i = 0; i < 6; i++) void scheduler.gate(`${i}`)
        await scheduler.settle()
      },
      { limit: 100 },
    )
    await expect(endless).rejects.toThrow('More than 100 interleavings')
  })

  test('a wrapped call starts and ends at gates, and keeps its result or error', async () => {
    const scheduler = new SeededScheduler(() => 0)
    const double = scheduler.wrap((n: number) => n * 2, 'double')
    const fail = scheduler.wrap(() => Promise.reject(new Error('no')), 'fail')
    const results = Promise.allSettled([double(21), fail()])
    expect(scheduler.waiting).toEqual(['double:start', 'fail:start'])
    await scheduler.settle()
    expect(await results).toMatchObject([{ value: 42 }, { reason: { message: 'no' } }])
    expect(scheduler.trace).toEqual(['double:start', 'fail:start', 'double:end', 'fail:end'])
  })
})
