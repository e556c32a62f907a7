import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

test('a program that only waits, for a page and for a collector that is busy, is told how it ended', async () => {
  let tries = 0
  const collector = createServer((request, response) => {
    // Closed, so that between two tries nothing but a timer is left of the program.
    const status = ++tries === 1 ? 503 : 200
    request.resume().on('end', () => response.writeHead(status, { connection: 'close' }).end())
  })
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  onTestFinished(() => {
    collector.closeAllConnections()
    collector.close()
  })
  const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
    join(import.meta.dirname, 'awaited.fixture.ts'),
    url,
  ])
  expect(stdout).toBe('dashboard 200\nexported 1 retries 1\n')
})
