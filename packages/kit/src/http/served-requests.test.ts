import { EventEmitter, once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { HttpRoutes, setHttpRoute } from './http-route.ts'
import { type ServedRequest, watchServedRequests } from './served-requests.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0).reverse()) close()
})

async function listening(server: Http2Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function session(origin: string): ClientHttp2Session {
  const client = connect(origin)
  // It is reset by some of the tests.
  client.on('error', () => {})
  closing.push(() => client.destroy())
  return client
}

type Act = (stream: ClientHttp2Stream, client: ClientHttp2Session) => void
const onData =
  (act: Act): Act =>
  (stream, client) =>
    stream.once('data', () => act(stream, client))

const half = (stream: ServerHttp2Stream, then: () => void = () => {}): void => {
  stream.respond({ ':status': 200 })
  stream.write('half', then)
}
const file = (size: number) => (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200 }, { waitForTrailers: false })
  stream.end(Buffer.alloc(size))
}
const none = () => {}

describe('a request of HTTP/2 ends', () => {
  test.each<
    [
      string,
      (stream: ServerHttp2Stream) => void,
      Act,
      { status: number | undefined; aborted: boolean },
      OutgoingHttpHeaders?,
    ]
  >([
    ['with its last byte', file(10), none, { status: 200, aborted: false }],
    [
      'without a body',
      stream => stream.respond({ ':status': 204 }),
      none,
      { status: 204, aborted: false },
    ],
    [
      'with the headers of HEAD',
      file(10),
      none,
      { status: 200, aborted: false },
      { ':method': 'HEAD' },
    ],
    [
      'with a file',
      stream => stream.respondWithFile(import.meta.filename),
      none,
      { status: 200, aborted: false },
    ],
    [
      'with a status that is a text',
      stream => stream.respond({ ':status': '418' as never }, { endStream: true }),
      none,
      { status: 418, aborted: false },
    ],
    [
      'with an answer to half of a body',
      file(10),
      stream => void stream.write('half'),
      { status: 200, aborted: false },
      { ':method': 'POST' },
    ],
    [
      'with a file half sent, as its reader resets it',
      stream => stream.respondWithFile(process.execPath),
      onData(stream => stream.close(8)),
      { status: 200, aborted: true },
    ],
    [
      'with a body half sent, as its reader resets it',
      file(5_000_000),
      onData(stream => stream.close(8)),
      { status: 200, aborted: true },
    ],
    [
      'half answered, as its reader has enough',
      half,
      onData(stream => stream.close(0)),
      { status: 200, aborted: true },
    ],
    [
      'half answered, as the session goes',
      half,
      onData((_, client) => client.destroy()),
      { status: 200, aborted: true },
    ],
    [
      'half answered, as the connection is lost',
      half,
      onData((_, client) => (client.socket as unknown as { destroySoon(): void }).destroySoon()),
      { status: 200, aborted: true },
    ],
    [
      'half answered, as the handler destroys it',
      stream => half(stream, () => stream.destroy()),
      none,
      { status: 200, aborted: true },
    ],
    [
      'half answered, as the server ends the session',
      stream => half(stream, () => stream.session?.destroy()),
      none,
      { status: 200, aborted: true },
    ],
    ['refused', stream => stream.close(7), none, { status: undefined, aborted: true }],
    [
      'unanswered, as its reader gave up',
      () => {},
      stream => void setImmediate(() => stream.close(8)),
      { status: undefined, aborted: true },
    ],
  ])('%s', async (_, handle, act, expected, headers = {}) => {
    const ended = Promise.withResolvers<unknown>()
    closing.push(
      watchServedRequests(({ onClose }) => {
        onClose(({ status, aborted }) => ended.resolve({ status, aborted }))
      }),
    )
    const server = createServer()
    server.on('stream', stream => {
      stream.on('error', () => {})
      handle(stream)
    })
    const client = session(await listening(server))
    const stream = client.request(
      { ':path': '/', ...headers },
      { endStream: headers[':method'] !== 'POST' },
    )
    stream.on('error', () => {})
    act(stream, client)
    stream.resume()
    expect(await ended.promise).toEqual(expected)
  })
})

test('what is told of a request of HTTP/2 is what its headers say, and pushes are none', async () => {
  const seen: Omit<ServedRequest, 'onClose' | 'body'>[] = []
  closing.push(watchServedRequests(({ onClose, body, ...request }) => void seen.push(request)))
  const server = createServer()
  server.on('stream', stream => {
    stream.pushStream({ ':path': '/pushed' }, (_, pushed) => {
      pushed.respond()
      pushed.end()
    })
    stream.respond()
    stream.end()
  })
  const client = session(await listening(server))
  client.on('stream', pushed => pushed.resume())
  const stream = client.request({ ':path': '/a?b', ':method': 'PATCH', 'x-own': 'c' }).resume()
  await once(stream, 'close')
  expect(seen).toEqual([
    {
      head: {
        method: 'PATCH',
        url: '/a?b',
        headers: expect.objectContaining({ 'x-own': 'c' }),
        httpVersion: '2.0',
      },
      scheme: 'http',
      protocolVersion: '2',
    },
  ])
})

test('the route is found with the compatibility API, with streams, and by a function', async () => {
  const routes = new HttpRoutes()
  closing.push(() => routes.close())
  const found: (string | undefined)[] = []
  const events = new EventEmitter()
  closing.push(
    watchServedRequests(({ onClose }) => {
      onClose(({ handled }) => {
        found.push(
          routes.of(handled, undefined),
          routes.of(handled, ({ url }) => `of ${url}`),
          // No label can say half a character.
          routes.of(handled, () => '/\ud800'),
        )
        events.emit('found')
      })
    }),
  )
  const compatible = createServer((request, response) => {
    setHttpRoute(request, '/compatible/:id')
    response.end()
  })
  const bare = createServer()
  bare.on('stream', stream => {
    setHttpRoute(stream, '/bare/:id')
    stream.respond()
    stream.end()
  })
  for (const server of [compatible, bare]) {
    const next = once(events, 'found')
    session(await listening(server))
      .request({ ':path': '/x/1' })
      .resume()
    await next
  }
  // A stream has no request that could be given to a function.
  const bareRoute = '/bare/:id'
  expect(found).toEqual([
    ...['/compatible/:id', 'of /x/1', undefined],
    ...[bareRoute, bareRoute, bareRoute],
  ])
})

test('each watcher has each request once, also of a session that began before it, and none after its end', async () => {
  const counts = [0, 0]
  const unwatch = watchServedRequests(() => counts[0]!++)
  const client = session(await listening(createServer((_, response) => void response.end())))
  const request = async () => once(client.request({ ':path': '/' }).resume(), 'close')
  await request()
  const later = watchServedRequests(() => counts[1]!++)
  await request()
  unwatch()
  await request()
  later()
  await request()
  expect(counts).toEqual([2, 2])
})
