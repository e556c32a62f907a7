import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that systems hand out to clients, and to servers that ask for any: such a port may be given away whenever it is left for a moment. */
const FIRST = 10_000
const LAST = 32_767

/** A port that is kept from everybody else who asks for one here. */
export interface ReservedPort extends Disposable {
  readonly number: number
}

/**
 * A TCP port of 127.0.0.1 that nothing listens on. Until it is disposed of, or this process ends, nobody else is given it by this
 * function, in whatever process, so that a server may leave it and come back. It is marked as taken by the UDP port of its number.
 */
export async function reservePort(): Promise<ReservedPort> {
  for (;;) {
    const number = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
    const mark = createSocket('udp4').unref()
    const isOurs = await succeeds(mark, () => mark.bind({ port: number, address: '127.0.0.1' }))
    if (isOurs && (await isFree(number))) {
      let isKept = true
      return {
        number,
        [Symbol.dispose]: () => {
          if (isKept) mark.close()
          isKept = false
        },
      }
    }
    mark.close()
  }
}

/** A TCP port of 127.0.0.1 that nothing listens on: that of a {@link reservePort} for as long as this process lives. */
export async function freePort(): Promise<number> {
  return (await reservePort()).number
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  if (!(await succeeds(server, () => server.listen(port, '127.0.0.1')))) return false
  server.close()
  await once(server, 'close')
  return true
}

/** Whether a socket could be bound. @throws (by rejection) what else goes wrong than that its port is taken */
async function succeeds(
  socket: Socket | ReturnType<typeof createServer>,
  bind: () => unknown,
): Promise<boolean> {
  const listening = once(socket, 'listening')
  bind()
  try {
    await listening
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return false
  }
}
