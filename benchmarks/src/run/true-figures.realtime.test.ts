import { expect, test } from 'vitest'
import { toJsonRow } from '../result/row.ts'
import { loadSuite } from './discover-suites.ts'
import { runSuite } from './run-suite.ts'

const folder = new URL('./testing/', import.meta.url)

test('a case gives one row per peer and one for its limit, with the true figures', async () => {
  const suite = await loadSuite('timing', folder)
  const { rows } = await runSuite(suite, {
    quick: true,
    folder,
    wanted: name => name === 'wall time',
  })
  expect(rows.map(row => [row.case, row.peerName, row.unit, row.goal])).toEqual([
    ['wall time', 'slow', 'us/op', 1.5],
    ['wall time', 'limit', 'us/op', 1],
  ])
  const [slow, limit] = rows
  expect(slow!.ours).toBeGreaterThan(1.9)
  expect(slow!.ours).toBeLessThan(20)
  expect(slow!.ratio).toBeGreaterThan(1.5)
  expect(slow!.ratio).toBeCloseTo(slow!.peer / slow!.ours)
  expect(limit!.peer).toBe(100)
  expect(Object.keys(toJsonRow(slow!))).toEqual([
    'suite',
    'case',
    'ours',
    'peer',
    'peerName',
    'unit',
    'ratio',
    'goal',
  ])
})

test('contenders that take turns are compared by the runs beside each other', async () => {
  const suite = await loadSuite('timing', folder)
  const { rows, failures } = await runSuite(suite, {
    quick: true,
    folder,
    wanted: name => name === 'in turn',
  })
  expect(failures).toEqual([])
  expect(rows).toHaveLength(1)
  expect(rows[0]!.ratio).toBeGreaterThan(2)
  expect(rows[0]!.ratio).toBeLessThan(4.5)
})
