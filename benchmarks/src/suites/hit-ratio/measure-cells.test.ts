import { expect, test } from 'vitest'
import type { Cell } from './cells.ts'
import { measureCells } from './measure-cells.ts'
import { references } from './policies/references.ts'
import { replay } from './replay.ts'
import { shortTable, tables } from './report.ts'
import { makeTrace, streamNamed } from './traces/synthetic.ts'

const name = 'each key read twice, 400 reads apart'
const progress = (): void => undefined

test('threads measure what one after another would, in the order asked for', async () => {
  const requests = [
    { name, path: undefined, capacities: [512, 256] },
    { name: `${name}, from its middle`, path: undefined, capacities: [512] },
  ]
  const cells = await measureCells(requests, { seeds: 2, threads: 3, progress })
  expect(cells.map(cell => cell.name)).toEqual([
    `${name} @512`,
    `${name} @256`,
    `${name}, from its middle @512`,
  ])
  const trace = makeTrace(streamNamed(name))
  const options = { capacity: 512, distinct: trace.distinct }
  const hits = replay(trace, references['S3-FIFO']!(options))
  expect(cells[0]!.references.get('S3-FIFO')).toBe((100 * hits) / trace.ids.length)
  expect(cells[0]!.seeds).toHaveLength(2)
  // What leads there from an empty cache hits nothing once the stream has been running.
  const lead = (cell: Cell) => cell.references.get('S3-FIFO')! - cell.references.get('LRU')!
  expect(lead(cells[0]!)).toBeGreaterThan(45)
  expect(lead(cells[2]!)).toBeLessThan(1)
})

test('what a thread cannot measure fails with its reason', async () => {
  const requests = [
    { name: 'no such stream', path: undefined, capacities: [10] },
    { name, path: undefined, capacities: [512] },
  ]
  await expect(measureCells(requests, { seeds: 1, threads: 2, progress })).rejects.toThrow(
    'There is no stream no such stream',
  )
})

test('tables show the mean of the seeds with their spread, and leave rows from the middle out of the sums', () => {
  const cell = (at: string, adaptive: number, best: number): Cell => ({
    name: at,
    ours: new Map([
      ['adaptive', adaptive],
      ['lru', 1],
    ]),
    seeds: [adaptive - 1, adaptive + 1],
    references: new Map([
      ['LRU', 1],
      ['S3-FIFO', best],
    ]),
    belady: 60,
  })
  const cells = [cell('a @1', 10, 12), cell('twice @512', 2, 50)]
  const besides = [cell('twice, from its middle @512', 2, 1)]
  for (const table of [tables(cells, besides), shortTable(cells, besides)]) {
    expect(table).toContain('10.00 (9.00 to 11.00)')
    expect(table).toContain('| **adaptive** | 6.00 | 25.00 | 48.00 | -1.00 | 0 |')
    expect(table).toContain('a mean gap of 24.00 to 26.00 pp, a worst one of 47.00 to 49.00')
    expect(table).toContain('25.00 pp, 0.50 with these rows')
    expect(table).toContain('2.00 without either')
  }
})
