import { expect, test } from 'vitest'
import type { FollowedChange } from '../analyse/follow-tree.ts'
import { renderChange } from './render-change.ts'

const change = (given: Partial<FollowedChange>): FollowedChange => ({
  paths: [],
  all: undefined,
  changed: [],
  analysis: {
    files: new Map(),
    unchanged: 3,
    touched: 0,
    copies: 0,
    parsed: 1,
    unreadable: [],
    results: { verified: 6, recomputed: 2, cutOff: 1 },
  },
  manifests: new Map(),
  time: 1.5,
  ...given,
})
const outcome =
  '2 results recomputed, of which 1 cut off as they came out the same; 6 verified, in 1.5 ms'

test('names the path that changed, or the first of several', () => {
  expect(renderChange(change({ paths: ['/tree/a.ts'] }))).toBe(
    `1 path changed (/tree/a.ts): ${outcome}`,
  )
  expect(renderChange(change({ paths: ['/tree/a.ts', '/tree/b.ts', '/tree/c.ts'] }))).toBe(
    `3 paths changed (/tree/a.ts and 2 more): ${outcome}`,
  )
})

test('names what had changed, and why all was looked at, where the watcher cannot tell', () => {
  expect(renderChange(change({ all: 'lost', changed: ['/tree/a.ts'] }))).toBe(
    `Everything was looked at anew, as the system may not have reported each change: 1 path had changed (/tree/a.ts): ${outcome}`,
  )
  expect(renderChange(change({ all: 'overflow', changed: ['/tree/a.ts', '/b.ts'] }))).toMatch(
    /^Everything was looked at anew, as more changed at once than the system reports: 2 paths had/,
  )
})

test('is silent where all was looked at and nothing had changed', () => {
  expect(renderChange(change({ all: 'interval' }))).toBeUndefined()
})

test('shows no control characters of a name', () => {
  expect(renderChange(change({ paths: ['/tree/\u001b[2J.ts'] }))).toContain('(/tree/\\u{1b}[2J.ts)')
})
