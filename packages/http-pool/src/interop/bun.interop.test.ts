import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const entry = new URL('../index.ts', import.meta.url).href

test('on Bun a pool says why it cannot be', async () => {
  const code = `
    const { HttpPool } = await import(${JSON.stringify(entry)})
    try { new HttpPool() } catch (error) { console.log(error.code) }
  `
  const args = ['--yes', 'bun@1.4.5', '--conditions=millrace-source', '-e', code]
  const { stdout } = await promisify(execFile)('npx', args)
  expect(stdout.trim()).toBe('ERR_MILLRACE_UNSUPPORTED_RUNTIME')
})
