import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { renderRounds, runRounds } from './run-rounds.ts'

/** No signal, and nothing to be left out. */
const never = {
  signal: new AbortController().signal,
  notice: (line: string) => expect(line).toBe(''),
}

test('an edit recomputes what it changes and no more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rounds-test-'))
  mkdirSync(join(folder, 'src'))
  // The first file in order is the one that is edited; three others import it.
  writeFileSync(join(folder, 'src/a.js'), 'export const a = 1\n')
  for (const name of ['b', 'c', 'd']) {
    writeFileSync(join(folder, `src/${name}.js`), "import { a } from './a.js'\nexport { a }\n")
  }
  writeFileSync(join(folder, 'src/e.js'), "import './missing.js'\n")
  const result = await runRounds(folder, never)
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

test('what cannot be copied is left out, and named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rounds-test-'))
  writeFileSync(join(folder, 'a.js'), 'export const a = 1\n')
  // A name that is no UTF-8 cannot be told back to the system.
  writeFileSync(
    Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff]), Buffer.from('.js')]),
    '',
  )
  const lines: string[] = []
  const { files, rounds } = await runRounds(folder, {
    ...never,
    notice: line => lines.push(line),
  })
  rmSync(folder, { recursive: true })
  expect(files).toBe(1)
  expect(rounds).toHaveLength(6)
  expect(lines).toEqual([expect.stringMatching(/^Left out .*: there is no such file or folder$/)])
})

test('an abort ends the rounds and leaves no copy behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rounds-test-'))
  for (let i = 0; i < 200; i++) writeFileSync(join(folder, `${i}.js`), `export const a = ${i}\n`)
  const temporary = join(folder, 'temporary')
  mkdirSync(temporary)
  vi.stubEnv('TMPDIR', temporary)
  const interrupt = new AbortController()
  setImmediate(() => interrupt.abort(new Error('Interrupted')))
  await expect(runRounds(folder, { ...never, signal: interrupt.signal })).rejects.toThrow(
    'Interrupted',
  )
  vi.unstubAllEnvs()
  expect(readdirSync(temporary)).toEqual([])
  rmSync(folder, { recursive: true })
})
