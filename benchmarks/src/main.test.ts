import { spawnSync } from 'node:child_process'
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parseCommandLine } from './command-line.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--conditions=millrace-source', main, ...args], {
    encoding: 'utf8',
  })

test('an unknown suite ends with one line that names it and those there are', () => {
  const { status, stderr } = bench('nonsense')
  expect(status).toBe(1)
  expect(stderr).toMatch(/^There is no suite "nonsense"; there are: .*cache.*\n$/)
})

test('an unknown option ends with one line that names it', () => {
  const { status, stderr } = bench('--nonsense')
  expect(status).toBe(1)
  expect(stderr).toContain("Unknown option '--nonsense'")
})

test('--list names suites and cases without running them', () => {
  const { status, stdout } = bench('--list')
  expect(status).toBe(0)
  expect(stdout).toContain('hit-ratio')
  expect(stdout).toContain('ours against lru-cache')
})

test('what cannot be printed is told, and ends with exit code 1', async () => {
  await using full = await open('/dev/full', 'w')
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--conditions=millrace-source', main, '--help'],
    { encoding: 'utf8', stdio: ['ignore', full.fd, 'pipe'] },
  )
  expect(status).toBe(1)
  expect(stderr).toMatch(/^Cannot print to the standard output: ENOSPC.*\n$/)
})

test('--case is a regular expression on case names', () => {
  const { wanted, quick, suites } = parseCommandLine(['cache', '--quick', '--case', '^get'])
  expect([quick, suites]).toEqual([true, ['cache']])
  expect(['get, all hits', 'forget'].map(name => wanted!(name))).toEqual([true, false])
})
