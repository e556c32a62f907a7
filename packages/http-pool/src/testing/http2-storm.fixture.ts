import { once } from 'node:events'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { selfSignedCertificate } from '@millrace/testkit'

// Run as a process of its own: an HTTP/2 server that does all that a server can do to a client, at random.

const CANCEL = 8
const INTERNAL_ERROR = 2
const ENHANCE_YOUR_CALM = 11

function answer(request: Http2ServerRequest, response: Http2ServerResponse): void {
  // What clients abort, here and below, is theirs to tell of.
  request.on('error', () => {})
  response.on('error', () => {})
  response.stream.on('error', () => {})
  request.resume()
  const { session } = response.stream
  const chance = Math.random()
  if (chance < 0.04) {
    response.stream.close(Math.random() < 0.5 ? CANCEL : INTERNAL_ERROR)
  } else if (chance < 0.08) {
    // Stalls.
  } else if (chance < 0.095) {
    session?.goaway(0, Math.random() < 0.5 ? 0 : Math.max(0, (response.stream.id ?? 1) - 2))
    response.end('late')
  } else if (chance < 0.1) {
    session?.goaway(ENHANCE_YOUR_CALM)
    session?.close()
  } else if (chance < 0.102) {
    session?.destroy()
  } else if (chance < 0.142) {
    response.write('part')
    setTimeout(() => response.stream.close(INTERNAL_ERROR), 10)
  } else if (chance < 0.222) {
    response.write('a'.repeat(200_000))
    response.end('b'.repeat(200_000))
  } else {
    setTimeout(() => {
      if (!response.stream.destroyed) response.end('{"ok":true}')
    }, Math.random() * 20)
  }
}

const server = createSecureServer(selfSignedCertificate(), answer)
server.on('sessionError', () => {})
server.on('session', session => session.on('error', () => {}))
process.on('uncaughtException', () => {})
process.on('disconnect', () => process.exit())
server.listen(Number(process.argv[2]), '127.0.0.1')
await once(server, 'listening')
process.send?.('listening')
