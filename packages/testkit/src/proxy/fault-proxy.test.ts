import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FaultProxy } from './fault-proxy.ts'

/** A server that returns what it gets. */
let echo: ReturnType<typeof createServer>
let proxy: FaultProxy
let accepted: Socket[]

beforeEach(async () => {
  accepted = []
  echo = createServer(socket => {
    accepted.push(socket)
    socket.on('error', () => undefined)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  proxy = await FaultProxy.start({ target: (echo.address() as AddressInfo).port })
})

afterEach(async () => {
  await proxy.stop()
  for (const socket of accepted) socket.destroy()
  echo.close()
})

async function open(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function roundTrip(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  let reply = ''
  while (reply.length < text.length) reply += String((await once(socket, 'data'))[0])
  return reply
}

/** Resolves true if the socket gets anything, an error or an end included, within `ms`. */
async function hears(socket: Socket, ms = 60): Promise<boolean> {
  const controller = new AbortController()
  const any = ['data', 'end', 'close'].map(name =>
    once(socket, name, { signal: controller.signal }).then(
      () => true,
      () => false,
    ),
  )
  const heard = await Promise.race([...any, sleep(ms, false, { signal: controller.signal })])
  controller.abort()
  return heard
}

describe('FaultProxy', () => {
  test('carries bytes and closes both ways when healthy, and counts them', async () => {
    const socket = await open()
    const text = 'x'.repeat(3_000_000)
    expect(await roundTrip(socket, text)).toBe(text)
    socket.end()
    await once(socket, 'close')
    expect(proxy.stats()).toMatchObject({
      accepted: 1,
      bytesUp: 3_000_000,
      bytesDown: 3_000_000,
    })
  })

  test('latency delays each direction and keeps the order under jitter', async () => {
    const socket = await open()
    proxy.latency(20, 20)
    const start = performance.now()
    for (let i = 0; i < 10; i++) {
      socket.write(`${i}`)
      await sleep(1)
    }
    let reply = ''
    while (reply.length < 10) reply += String((await once(socket, 'data'))[0])
    expect(reply).toBe('0123456789')
    expect(performance.now() - start).toBeGreaterThanOrEqual(39)
    socket.destroy()
  })

  test('a stall holds bytes and heal delivers them', async () => {
    const socket = await open()
    proxy.stall()
    socket.write('held')
    expect(await hears(socket)).toBe(false)
    const reply = once(socket, 'data')
    await proxy.heal()
    expect(String((await reply)[0])).toBe('held')
    socket.destroy()
  })

  test('a stall downwards lets requests through', async () => {
    const socket = await open()
    await roundTrip(socket, 'warm')
    proxy.stall('down')
    const arrived = once(accepted[0]!, 'data')
    socket.write('in')
    expect(String((await arrived)[0])).toBe('in')
    expect(await hears(socket)).toBe(false)
    socket.destroy()
  })

  test('cut resets present connections, and new ones work', async () => {
    const socket = await open()
    await roundTrip(socket, 'warm')
    const error = once(socket, 'error')
    expect(proxy.cut()).toBe(1)
    expect((await error)[0]).toMatchObject({ code: 'ECONNRESET' })
    const next = await open()
    expect(await roundTrip(next, 'again')).toBe('again')
    next.destroy()
  })

  test('cutAfter delivers so many bytes, then resets', async () => {
    const socket = await open()
    await roundTrip(socket, 'warm')
    proxy.cutAfter(4)
    let got = ''
    socket.on('data', chunk => (got += chunk))
    const error = once(socket, 'error')
    socket.write('0123456789')
    expect((await error)[0]).toMatchObject({ code: 'ECONNRESET' })
    expect(got).toBe('0123')
  })

  test('refuse fails connecting, keeps what is open, and heal opens the same port', async () => {
    const socket = await open()
    await roundTrip(socket, 'warm')
    proxy.refuse()
    const late = connect(proxy.port, '127.0.0.1')
    expect((await once(late, 'error'))[0]).toMatchObject({ code: 'ECONNREFUSED' })
    expect(await roundTrip(socket, 'still')).toBe('still')
    socket.destroy()
    await proxy.heal()
    const next = await open()
    expect(await roundTrip(next, 'back')).toBe('back')
    next.destroy()
  })

  test('half open: nobody answers and nobody says so, even when the server closes', async () => {
    const socket = await open()
    await roundTrip(socket, 'warm')
    proxy.halfOpen()
    socket.write('lost')
    accepted[0]!.destroy()
    expect(await hears(socket)).toBe(false)
    const fresh = await open()
    fresh.write('lost too')
    expect(await hears(fresh)).toBe(false)
    const resets = Promise.all([once(socket, 'error'), once(fresh, 'error')])
    await proxy.heal()
    for (const [error] of await resets) expect(error).toMatchObject({ code: 'ECONNRESET' })
    expect(proxy.stats().connections).toBe(0)
  })

  test('a server that is not there resets the connection', async () => {
    await new Promise(resolve => echo.close(resolve))
    const socket = connect(proxy.port, '127.0.0.1')
    expect((await once(socket, 'error'))[0]).toMatchObject({ code: 'ECONNRESET' })
    expect(proxy.stats().connections).toBe(0)
  })
})
