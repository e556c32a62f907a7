import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/** What the server tells of each command: its time, the database, who sent it, its name and arguments. */
const COMMAND = /^\+\S+ \[\d+ (?<source>[^\]]+)\] "(?<name>[^"]+)"/

/**
 * Names of the commands that clients sent while something happened, in their order: those of scripts are not among them.
 *
 * By a socket of its own: a client of ioredis breaks if a command of others is told in the packet that confirms MONITOR.
 */
export async function commandsDuring(
  port: number,
  act: () => Promise<unknown>,
): Promise<readonly string[]> {
  await using monitor = await monitorOf(port)
  await using marker = await connected(port)
  await act()
  // The server tells of commands in the order in which it carried them out, of those that others send meanwhile, too.
  marker.socket.write('ECHO end\r\n')
  const names: string[] = []
  for await (const line of monitor.lines) {
    const { source, name } = COMMAND.exec(line)!.groups!
    if (source === 'lua') continue
    if (name!.toLowerCase() === 'echo') return names
    names.push(name!.toLowerCase())
  }
  throw new Error('The server closed the connection that monitors it')
}

async function monitorOf(port: number) {
  const { socket, ...disposal } = await connected(port)
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  socket.write('MONITOR\r\n')
  const { value } = await lines.next()
  if (value !== '+OK') throw new Error(`The server does not let itself be monitored: ${value}`)
  return { lines, ...disposal }
}

async function connected(port: number) {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return { socket, [Symbol.asyncDispose]: async () => void socket.destroy() }
}
