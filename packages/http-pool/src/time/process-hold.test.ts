import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, UpstreamServer } from '@millrace/testkit'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('../testing/process-life.fixture.ts', import.meta.url))

/** What the script printed; rejects unless it ended by itself with 0. */
async function run(action: string, url: string): Promise<string> {
  const args = ['--experimental-strip-types', '--no-warnings', script, action, url]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 })
  return stdout.trim()
}

test('an idle pool that nobody closes lets the process end', async () => {
  await using server = await UpstreamServer.start({ keepAliveTimeout: 60_000 })
  server.on('*', { body: '"done"', headers: { connection: 'keep-alive' } })
  const start = performance.now()
  expect(await run('leave-idle', server.url('/'))).toBe('done')
  expect(performance.now() - start).toBeLessThan(40_000)
})

test('the wait for the next attempt keeps the process alive', async () => {
  const port = await freePort()
  expect(await run('retry', `http://127.0.0.1:${port}/`)).toBe('ECONNREFUSED 2')
})
