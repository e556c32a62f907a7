import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('a program that waits for close() sees its end, whether or not a collector is there', async () => {
  const file = join(import.meta.dirname, 'unreachable.fixture.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
    file,
  ])
  expect(stdout).toBe('dropped 1\n')
})
