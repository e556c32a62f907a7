import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FollowedChange } from '../analyse/follow-tree.ts'
import { ChangeMarks } from './change-marks.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const change = (given: Partial<FollowedChange>): FollowedChange => ({
  paths: [],
  all: undefined,
  changed: [],
  analysis: {
    files: new Map(),
    unchanged: 0,
    touched: 0,
    copies: 0,
    parsed: 1,
    unreadable: [],
    results: { verified: 0, recomputed: 1_002, cutOff: 1 },
  },
  manifests: new Map(),
  time: 1,
  ...given,
})

test('the first change is marked at once, those of the seconds after it together', () => {
  const told: string[] = []
  using marks = new ChangeMarks(text => told.push(text))
  marks.add(change({ paths: ['/tree/a.ts'] }))
  expect(told.splice(0)).toEqual(['Changed /tree/a.ts: 1,002 recomputed, 1 cut off'])
  for (let i = 0; i < 3; i++) {
    vi.advanceTimersByTime(1_000)
    marks.add(change({ paths: ['/tree/a.ts'] }))
  }
  expect(told).toEqual([])
  vi.advanceTimersByTime(5_000)
  expect(told.splice(0)).toEqual(['3 changes of the tree: 3,006 recomputed, 3 cut off'])
  vi.advanceTimersByTime(60_000)
  marks.add(change({ paths: ['/tree/b.ts', '/tree/c.ts'] }))
  expect(told).toEqual(['2 paths changed: 1,002 recomputed, 1 cut off'])
})

test('the longest path fits a mark', () => {
  const told: string[] = []
  using marks = new ChangeMarks(text => told.push(text))
  marks.add(change({ all: 'lost', changed: [`/tree/${'x'.repeat(300)}/the-end.ts`] }))
  expect(told).toEqual([expect.stringMatching(/^Changed …x+\/the-end\.ts: 1,002 recomputed, /)])
  expect(told[0]!.length).toBeLessThanOrEqual(80)
})

test('nothing is marked after the end', () => {
  const told: string[] = []
  {
    using marks = new ChangeMarks(text => told.push(text))
    marks.add(change({ paths: ['/a.ts'] }))
    marks.add(change({ paths: ['/a.ts'] }))
  }
  vi.advanceTimersByTime(60_000)
  expect(told).toHaveLength(1)
})
