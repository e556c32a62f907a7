import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { freePort, reservePort } from './free-port.ts'

/** The next ports that are tried. */
function tryFirst(...ports: number[]): void {
  const random = vi.spyOn(Math, 'random')
  for (const port of ports) random.mockReturnValueOnce((port - 10_000 + 0.5) / 22_768)
}

afterEach(() => {
  vi.restoreAllMocks()
})

test('a port is nobody else’s until it is given back, though nothing listens on it', async () => {
  const [port, another] = [await freePort(), await freePort()]
  expect(port).toBeGreaterThanOrEqual(10_000)
  expect(port).toBeLessThan(32_768)
  expect(another).not.toBe(port)
  tryFirst(port)
  expect(await freePort()).not.toBe(port)

  const reserved = await reservePort()
  reserved[Symbol.dispose]()
  reserved[Symbol.dispose]()
  tryFirst(reserved.number)
  using again = await reservePort()
  expect(again.number).toBe(reserved.number)
})

test('a port on which something listens is passed over', async () => {
  const { number, ...reserved } = await reservePort()
  const server = createServer().listen(number, '127.0.0.1')
  await once(server, 'listening')
  reserved[Symbol.dispose]()
  tryFirst(number)
  expect(await freePort()).not.toBe(number)
  server.close()
  await once(server, 'close')
})
