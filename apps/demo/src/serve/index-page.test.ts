import { expect, test } from 'vitest'
import type { Report } from '../report/report.ts'
import { indexPage } from './index-page.ts'

const report: Report = {
  directory: '/trees/a&b',
  temperature: 'warm',
  reasons: ['nothing <changed>'],
  notices: [],
  sources: {
    files: 12_000,
    bytes: 1,
    lines: 1,
    unchanged: 12_000,
    touched: 0,
    copies: 0,
    parsed: 0,
    unreadable: 0,
    syntaxErrors: 0,
  },
  results: { verified: 24_000, recomputed: 0, cutOff: 0 },
  packages: {
    met: 2,
    described: 2,
    absent: 0,
    failed: 0,
    edges: 0,
    internalImports: 0,
    builtinImports: 0,
  },
  stages: [],
  total: 800,
  caches: [{ name: 'facts', hits: 3, misses: 1 }],
  limiter: { granted: 0, waits: 0, waited: 0, rate: 1 },
  connections: { opened: 0, reused: 0, requests: 0, retries: 0 },
  operations: [],
  slowest: ['<span>'],
}
const node = (name: string, files: number) => ({
  name,
  versions: new Set<string>(),
  files,
  bytes: 0,
  exports: 0,
  imports: new Set<string>(),
})

test('the front page says how the run went and leads to its packages, the largest first', () => {
  const page = indexPage(report, [
    node('small', 1),
    node('@scope/large', 9),
    node('(no package)', 99),
  ])
  expect(page).toContain('<b>warm</b> run of 800.0 ms')
  expect(page).toContain('<b>12,000</b> files, 0 parsed')
  expect(page).toContain('<b>75 %</b> of look-ups')
  const links = [...page.matchAll(/href="\/packages\/([^"]*)"/g)].map(([, name]) => name)
  expect(links).toEqual(['%40scope%2Flarge', 'small'])
})

test('what others named cannot become markup', () => {
  const page = indexPage(report, [node('"><img src=x>', 1)])
  expect(page).not.toMatch(/<img|<changed|<span>/)
  expect(page).toContain('/trees/a&amp;b')
  expect(page).toContain('&quot;&gt;&lt;img src=x&gt;')
})
