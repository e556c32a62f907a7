import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('folders that cannot be listed for want of descriptors are an error, and no empty ones', () => {
  const program = join(import.meta.dirname, 'starved-process.fixture.ts')
  const command = `ulimit -n 200; exec "${process.execPath}" --conditions=millrace-source "${program}"`
  const { stdout, stderr, status } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  expect(stderr).toBe('')
  const failed = '["ERR_MILLRACE_FILE_READ","failed"]'
  expect(stdout.trim().split('\n')).toEqual([
    ...[failed, failed, '"failed"'],
    ...['["in"]', '1', '["in"]'],
    ...[failed, failed, '"failed"'],
  ])
  expect(status).toBe(0)
})
