import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { confirmedDrops } from '../check-drops.ts'
import { defineSuite } from '../define.ts'
import { findDrops, readBaseline, updateBaseline } from './baseline.ts'
import { ratioChart } from './chart.ts'
import { figure, terminalTable } from './format.ts'
import { rewriteReadme } from './readme-sections.ts'
import { type MeasuredRow, passes, ratioOf } from './row.ts'
import { storedRows, storeResults } from './stored-results.ts'

const row = (changes: Partial<MeasuredRow> = {}): MeasuredRow => ({
  suite: 'demo',
  case: 'get',
  ours: 10,
  peer: 20,
  peerName: 'peer & <co>',
  unit: 'ns/op',
  ratio: 2,
  goal: 1.9,
  spread: [1.8, 2.2],
  ...changes,
})

const never = async () => {
  throw new Error('not run')
}
const suiteOf = (cases: readonly string[]) =>
  defineSuite({
    name: 'demo',
    description: 'How it was measured.',
    versions: ['benny'],
    cases: cases.map(name => ({
      name,
      description: `${name} of one key`,
      unit: 'ns/op',
      ours: never,
      peers: {},
      check: () => undefined,
    })),
  })
const suite = suiteOf(['get', 'set'])

let scratch: string
let folder: URL
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'bench-'))
  folder = pathToFileURL(`${scratch}/`)
})
afterEach(() => rmSync(scratch, { recursive: true }))

test('a ratio above 1 means ours is better, whichever direction the unit has', () => {
  expect(ratioOf(10, 20, false)).toBe(2)
  expect(ratioOf(20, 10, true)).toBe(2)
  expect(ratioOf(-0.5, 3, false)).toBe(300)
})

test('a goal is reached from its figure on, and rows without one are not judged', () => {
  expect(passes(row({ ratio: 1.9 }))).toBe(true)
  expect(passes(row({ ratio: 1.89 }))).toBe(false)
  expect(passes(row({ goal: null }))).toBeUndefined()
})

test.each([
  [0.1234, '0.12'],
  [12.345, '12.3'],
  [123.45, '123'],
  [1_234_567.8, '1,234,568'],
])('%d is shown as %s', (value, shown) => expect(figure(value)).toBe(shown))

test('the terminal table names figures, ratio, goal and verdict', () => {
  const [, line] = terminalTable([row({ peerName: 'lru' })]).split('\n')
  expect(line).toBe('get   10.0  lru         20.0  ns/op  2.00x  1.90x  pass')
})

test('a miss never reads as the goal that it missed', () => {
  const shown = (ratio: number, goal: number) =>
    terminalTable([row({ ratio, goal })]).split('\n')[1]
  expect(shown(0.9954, 1)).toMatch(/ 0\.995x +1\.00x +miss$/)
  expect(shown(0.06996, 0.07)).toMatch(/ 0\.06996x +0\.07x +miss$/)
  expect(shown(29.96, 30)).toMatch(/ 29\.960x +30\.0x +miss$/)
  expect(shown(29.5, 30)).toMatch(/ 29\.5x +30\.0x +miss$/)
  expect(shown(0.9996, 1)).toMatch(/ 1\.00x +1\.00x +pass$/)
})

test('the chart is well-formed whatever the names hold', () => {
  const svg = ratioChart('demo', [row(), row({ ratio: 0.1, goal: null })])
  expect(svg).toContain('peer &amp; &lt;co&gt;')
  expect(svg).not.toMatch(/NaN|undefined|Infinity/)
})

describe('stored results', () => {
  test('a run of some cases replaces their rows, keeps the others and drops cases that are gone', () => {
    storeResults(
      suite,
      { rows: [row(), row({ case: 'set' }), row({ case: 'gone' })], details: '', failures: [] },
      folder,
    )
    storeResults(
      suite,
      { rows: [row({ case: 'set', ratio: 3 })], details: '', failures: [] },
      folder,
    )
    expect(storedRows('demo', folder).map(({ case: name, ratio }) => [name, ratio])).toEqual([
      ['get', 2],
      ['set', 3],
    ])
    expect(readdirSync(scratch).sort()).toEqual(['demo.json', 'demo.md', 'demo.svg'])
    const page = readFileSync(join(scratch, 'demo.md'), 'utf8')
    expect(page).toContain('How it was measured.')
    expect(page).toContain(`Node ${process.versions.node}, benny 3.7.1`)
    expect(page).not.toContain(String(new Date().getFullYear()))
  })

  test('give a README three lines and a link, and leave the rest, and unknown sections, alone', async () => {
    const names = ['get', 'set', 'has', 'delete']
    const wide = suiteOf(names)
    const rows = names.flatMap(name => [row({ case: name }), row({ case: name, peerName: 'b' })])
    storeResults(wide, { rows, details: '', failures: [] }, folder)
    const file = join(scratch, 'README.md')
    const other = '<!-- bench:other -->old<!-- /bench -->'
    writeFileSync(file, `# x\n<!-- bench:demo -->\nold\n<!-- /bench -->\n${other}\n`)
    expect(await rewriteReadme(file, ['demo'], async () => wide, folder)).toBe(true)
    const text = readFileSync(file, 'utf8')
    expect(text).toMatch(/^# x\n<!-- bench:demo -->\n\n(- .+\n){3}\n.+\/results\/demo\.md\)/)
    expect(text).toContain('- get: 10.0 ns/op, peer & <co> 20.0 ns/op (2.00x)\n')
    expect(text).toContain(other)
    expect(await rewriteReadme(file, ['demo'], async () => wide, folder)).toBe(false)
  })

  test('give a README the summary of a suite that has one, of the last run', async () => {
    const file = join(scratch, 'README.md')
    writeFileSync(file, '<!-- bench:demo -->\nold\n<!-- /bench -->\n')
    for (const summary of ['| first |', '| second |']) {
      storeResults(suite, { rows: [row()], details: '', summary, failures: [] }, folder)
      expect(await rewriteReadme(file, ['demo'], async () => suite, folder)).toBe(true)
    }
    const lines = readFileSync(file, 'utf8').split('\n')
    expect(lines.filter(line => line.startsWith('|'))).toEqual(['| second |'])
  })
})

test('the front page shows the headlines of all suites', async () => {
  storeResults(suite, { rows: [row(), row({ case: 'set' })], details: '', failures: [] }, folder)
  const file = join(scratch, 'README.md')
  writeFileSync(file, '# x\n<!-- bench-headlines -->\nold\n<!-- /bench -->\n')
  const front = async () => ({ ...suite, headline: /^get$/ })
  expect(await rewriteReadme(file, ['demo'], front, folder)).toBe(true)
  const lines = readFileSync(file, 'utf8').split('\n')
  expect(lines.filter(line => line.startsWith('| [demo]'))).toEqual([
    '| [demo](benchmarks/results/demo.md) | get  | peer & <co> | 2.00x | 1.90x | pass |',
  ])
})

describe('the baseline', () => {
  const file = () => new URL('baseline.json', folder)

  test('records the ratios of a run and keeps those of others', () => {
    updateBaseline([row({ case: 'b' }), row({ case: 'a' })], file())
    updateBaseline([row({ case: 'b', ratio: 1.5 })], file())
    expect(Object.entries(readBaseline(file()))).toEqual([
      ['demo / a / peer & <co>', 2],
      ['demo / b / peer & <co>', 1.5],
    ])
  })

  test('errors of limiters are judged by their goals, not by ratios of almost nothing', () => {
    updateBaseline([row({ unit: '% error' })], file())
    expect(readBaseline(file())).toEqual({})
  })

  test('a ratio may fall by ten per cent, not by more', () => {
    const baseline = { 'demo / get / peer & <co>': 2 }
    expect(findDrops([row({ ratio: 1.81 })], baseline)).toEqual([])
    expect(findDrops([row({ ratio: 1.79 })], baseline)).toMatchObject([{ before: 2, now: 1.79 }])
    expect(findDrops([row({ case: 'new', ratio: 0.1 })], baseline)).toEqual([])
  })

  test('a drop counts when the second run of its case shows it too', async () => {
    const baseline = { 'demo / get / p': 2, 'demo / set / p': 2 }
    const runs: (readonly string[] | undefined)[] = []
    const drops = await confirmedDrops(['demo'], baseline, async (_, cases) => {
      runs.push(cases && [...cases])
      const again = cases !== undefined
      return [
        row({ peerName: 'p', ratio: 1 }),
        row({ case: 'set', peerName: 'p', ratio: again ? 2 : 1 }),
      ]
    })
    expect(runs).toEqual([undefined, ['get', 'set']])
    expect(drops.map(drop => drop.key)).toEqual(['demo / get / p'])
  })

  test('without a drop nothing runs twice', async () => {
    let runs = 0
    expect(
      await confirmedDrops(['demo'], { 'demo / get / p': 2 }, async () => {
        runs++
        return [row({ peerName: 'p' })]
      }),
    ).toEqual([])
    expect(runs).toBe(1)
  })
})
