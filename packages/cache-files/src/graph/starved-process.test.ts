import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('want of descriptors is waited for, and is an error where it lasts, never an empty folder', () => {
  const program = join(import.meta.dirname, 'starved-process.fixture.ts')
  const command = `ulimit -n 200; exec "${process.execPath}" --conditions=millrace-source "${program}"`
  const { stdout, stderr, status } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  expect(stderr).toBe('')
  const failed = '["ERR_MILLRACE_FILE_READ","failed"]'
  const two = '["in","more"]'
  const three = '["in","more","most"]'
  expect(stdout.trim().split('\n')).toEqual([
    ...[failed, failed, '"failed"', '"failed"', '"failed"'],
    ...['["in"]', '1', '["in"]', '"text"', '"old"'],
    // Files that are known to be the same need not be opened.
    ...[failed, failed, '"failed"', '"text"', '"old"'],
    ...[two, '2', two, '"text"', '"old"', '"text"'],
    ...[three, '3', three, '"text"', '"new"'],
    'true',
  ])
  expect(status).toBe(0)
})
