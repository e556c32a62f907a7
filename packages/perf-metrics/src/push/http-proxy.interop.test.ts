import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

test('metrics go through the proxy that Node takes from the environment', async () => {
  const targets: (string | undefined)[] = []
  const proxy = createServer((request, response) => {
    targets.push(`${request.method} ${request.url}`)
    request.resume().on('end', () => response.end())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      ...['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
      join(import.meta.dirname, 'proxied.fixture.ts'),
    ],
    { env: { ...process.env, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: address, http_proxy: address } },
  )
  expect(stdout).toBe('exported 1\n')
  expect(targets).toEqual(['POST http://collector.invalid:4318/v1/metrics'])
})
