import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Fixture } from '../../../define.ts'

const response = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n1'

/** Closes each connection when it has been idle for 0 to 4 ms, without a hint: what clients fear most. */
export async function startImpatientServer(): Promise<Fixture> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    let timer: NodeJS.Timeout | undefined
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      sockets.delete(socket)
    })
    socket.on('data', () => {
      clearTimeout(timer)
      socket.write(response)
      timer = setTimeout(() => socket.end(), Math.random() * 4)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { value: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close }
}
