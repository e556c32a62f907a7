import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpPool } from '../index.ts'

const final = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

let server: Server
let url: string
let pool: HttpPool
let connections: number
let answer: (socket: Socket) => void

beforeEach(async () => {
  connections = 0
  server = createServer(socket => {
    connections++
    socket.on('data', () => answer(socket))
    // The pool is destroyed at the end, with whatever it has open.
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  pool = new HttpPool({ retry: false, connectionsPerHost: 1 })
})

afterEach(async () => {
  await pool.destroy()
  server.close()
})

async function ask(): Promise<string> {
  return (await pool.request(url)).body.text()
}

const heads = [
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.0 100\r\n\r\n',
  'HTTP/1.1 100 Continue\r\nx-wait: no\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n'.repeat(3),
  'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n',
]

test.each(heads)('%j that nobody asked for is read over, and the connection kept', async head => {
  answer = socket => socket.write(head + final)
  expect([await ask(), await ask()]).toEqual(['ok', 'ok'])
  expect(connections).toBe(1)
})

test.each([heads[0]!, heads.at(-1)!])('%j however it is cut into packets', async head => {
  let cut = 0
  answer = socket => {
    socket.setNoDelay()
    socket.write(head.slice(0, cut))
    setImmediate(() => socket.write(head.slice(cut) + final))
  }
  for (cut = 1; cut < head.length; cut++) expect(await ask()).toBe('ok')
  expect(connections).toBe(1)
})

test('byte for byte', async () => {
  answer = async socket => {
    socket.setNoDelay()
    for (const byte of heads.at(-1) + final) {
      socket.write(byte)
      await new Promise(setImmediate)
    }
  }
  expect([await ask(), await ask()]).toEqual(['ok', 'ok'])
  expect(connections).toBe(1)
})

test('another interim response, and a body that looks like one, are left as they are', async () => {
  const text = 'HTTP/1.1 100 Continue\r\n\r\n'
  answer = socket =>
    socket.write(
      `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    )
  expect([await ask(), await ask()]).toEqual([text, text])
})

test('a head that never ends is an error', async () => {
  answer = socket => socket.write(`HTTP/1.1 100 Continue\r\nx: ${'x'.repeat(20_000)}`)
  await expect(ask()).rejects.toThrow()
})

test('a long body that is read with pauses is whole', async () => {
  const length = 3_000_000
  answer = socket =>
    socket.write(
      `${heads[0]}HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n${'x'.repeat(length)}`,
    )
  const { body } = await pool.request(url, { highWaterMark: 1 })
  let received = 0
  for await (const chunk of body) {
    received += chunk.length
    await new Promise(setImmediate)
  }
  expect(received).toBe(length)
})
