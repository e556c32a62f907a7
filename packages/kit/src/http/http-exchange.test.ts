import { request } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { exchange } from './http-exchange.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** Posts to a server that writes `answer` to whoever has sent something, and closes. */
async function postTo(answer: string) {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(answer))
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const outgoing = request({ port, host: '127.0.0.1', method: 'POST', agent: false })
  return exchange(outgoing, [Buffer.from('a'), Buffer.from('b')])
}

test.each([
  [
    'an upgrade that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  ],
  ['a status that is not final', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n'],
  ['nothing', ''],
  ['half of a head', 'HTTP/1.1 200 OK\r\nContent-'],
  ['another protocol', 'SSH-2.0-server\r\n'],
])('rejects where the answer is %s', async (_, answer) => {
  await expect(postTo(answer)).rejects.toBeInstanceOf(Error)
})

test.each([
  ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na', 200, 'a'],
  ['HTTP/1.0 202 OK\r\n\r\nas long as it lasts', 202, 'as long as it lasts'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut', 200, ''],
  ['HTTP/1.1 101 Switching Protocols\r\n\r\n', 101, ''],
  ['HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
])('takes %j for what it is', async (answer, status, body) => {
  const answered = await postTo(answer)
  expect([answered.status, Buffer.from(answered.body).toString()]).toEqual([status, body])
})
