import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { renderRounds, runRounds } from './run-rounds.ts'

test('an edit recomputes what it changes and no more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rounds-test-'))
  mkdirSync(join(folder, 'src'))
  // The first file in order is the one that is edited; three others import it.
  writeFileSync(join(folder, 'src/a.js'), 'export const a = 1\n')
  for (const name of ['b', 'c', 'd']) {
    writeFileSync(join(folder, `src/${name}.js`), "import { a } from './a.js'\nexport { a }\n")
  }
  writeFileSync(join(folder, 'src/e.js'), "import './missing.js'\n")
  const result = await runRounds(folder)
  rmSync(folder, { recursive: true })
  const recomputed = result.rounds.map(({ name, recomputed, cutOff }) => [name, recomputed, cutOff])
  expect(recomputed).toEqual([
    // Facts, shape and links of five files, and the summary.
    ['cold', 16, 0],
    ['warm', 0, 0],
    ['nothing changed', 0, 0],
    // Its facts hold the number of lines; its shape is the same.
    ['comment in one file', 2, 1],
    // Its facts and shape, the links of those that import it, and its own; the summary.
    ['export in one file', 7, 1],
    ['branch switch of 5 files', 10, 5],
  ])
  expect(result.rounds.map(({ summary }) => summary.visible)).toEqual([3, 3, 3, 3, 6, 6])
  expect(renderRounds(result)).toContain('5 files; read and parsed without a cache')
})
