import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { freePort, selfSignedCertificate, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions, InvalidOptionError } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'
import { resolveProxy } from './proxy-choice.ts'

const makePool = useUpstream({ retry: false })

let proxy: Server
let proxyUrl: string
let tunnels: string[]
let authorization: (string | undefined)[]
let refuse: string | undefined
/** What comes before the answer to CONNECT. */
let interim: string
const sockets = new Set<Socket>()

beforeEach(async () => {
  tunnels = []
  authorization = []
  refuse = undefined
  interim = ''
  proxy = createServer((_request, response) => {
    response.statusCode = 500
    response.end('only tunnels')
  })
  proxy.on('connect', (request: IncomingMessage, client: Socket) => {
    sockets.add(client)
    // A client that goes away tears its tunnel down.
    client.on('error', () => client.destroy())
    tunnels.push(request.url!)
    authorization.push(request.headers['proxy-authorization'])
    if (refuse === 'hang') return
    if (refuse === 'reset') {
      client.resetAndDestroy()
      return
    }
    if (refuse !== undefined) {
      client.end(refuse)
      return
    }
    const target = connect(Number(request.url!.split(':').at(-1)), '127.0.0.1', () => {
      client.write(`${interim}HTTP/1.1 200 Connection established\r\n\r\n`)
      target.pipe(client).pipe(target)
    })
    target.on('error', () => client.destroy())
    client.on('close', () => target.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
})

afterEach(() => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  proxy.closeAllConnections()
  proxy.close()
})

test('a proxy gets one tunnel for each connection, and requests are kept alive in it', async () => {
  server.on('*', ({ url, headers }) => ({ body: JSON.stringify([url, headers.host]) }))
  const pool = makePool({ proxy: proxyUrl, connectionsPerHost: 2 })
  const { host } = new URL(server.origin)
  const all = await Promise.all(['/a', '/b', '/c', '/d'].map(path => pool.json(server.url(path))))
  expect(all).toEqual(['/a', '/b', '/c', '/d'].map(path => [path, host]))
  expect(tunnels).toEqual([host, host])
  expect(pool.stats()).toMatchObject({ created: 2, open: 2, connections: 2 })
})

test('https goes through a tunnel with its own handshake', async () => {
  const certificate = selfSignedCertificate()
  const secure = createSecureServer(certificate, (_request, response) => response.end('"private"'))
  secure.listen(0, '127.0.0.1')
  await once(secure, 'listening')
  const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}/`
  const pool = makePool({ proxy: new URL(proxyUrl), tls: { ca: certificate.cert } })
  expect(await pool.json(url)).toBe('private')
  expect(tunnels).toEqual([new URL(url).host])
  const distrusting = makePool({ proxy: proxyUrl })
  await expect(distrusting.json(url)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  secure.closeAllConnections()
  secure.close()
})

test('credentials of its URL go to the proxy and nowhere else', async () => {
  server.on('*', ({ headers }) => ({ body: headers }))
  const pool = makePool({ proxy: proxyUrl.replace('//', '//us%65r:p%40ss@') })
  expect(await pool.json(server.url('/'))).not.toHaveProperty('proxy-authorization')
  expect(authorization).toEqual([`Basic ${Buffer.from('user:p@ss').toString('base64')}`])
})

describe('a proxy that', () => {
  const secretUrl = () => proxyUrl.replace('//', '//user:hidden@')

  test.each([407, 403, 502])('answers %d is a typed error without credentials', async status => {
    refuse = `HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`
    const pool = makePool({ proxy: secretUrl() })
    const error = await pool.json(server.url('/')).catch(reason => reason)
    expect(error).toMatchObject({
      name: 'ProxyError',
      code: 'ERR_MILLRACE_PROXY',
      statusCode: status,
      proxy: proxyUrl,
      origin: server.origin,
    })
    expect(inspect(error)).not.toContain('hidden')
    expect(server.requests).toHaveLength(0)
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })

  test('speaks no HTTP, or hangs up, is one too', async () => {
    for (const answer of ['SSH-2.0-OpenSSH_9.6\r\n\r\n', '']) {
      refuse = answer
      await expect(makePool({ proxy: proxyUrl }).json(server.url('/'))).rejects.toMatchObject({
        code: 'ERR_MILLRACE_PROXY',
        statusCode: undefined,
      })
    }
  })

  test('breaks off is one too, with the reason', async () => {
    refuse = 'reset'
    const error = await makePool({ proxy: secretUrl() })
      .json(server.url('/'))
      .catch(reason => reason)
    expect(error).toMatchObject({ code: 'ERR_MILLRACE_PROXY', cause: { code: 'ECONNRESET' } })
    expect(inspect(error)).not.toContain('hidden')
  })

  test('may say something before it answers', async () => {
    server.on('*', { body: '1' })
    interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'
    expect(await makePool({ proxy: proxyUrl }).json(server.url('/'))).toBe(1)
    refuse = `${interim}HTTP/1.1 407 No\r\n\r\n`
    await expect(makePool({ proxy: proxyUrl }).json(server.url('/'))).rejects.toMatchObject({
      statusCode: 407,
    })
    refuse = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'
    await expect(makePool({ proxy: proxyUrl }).json(server.url('/'))).rejects.toMatchObject({
      statusCode: 101,
    })
  })

  test('answers for the origin before that was asked is one too', async () => {
    server.on('*', { body: '"origin"' })
    refuse = 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"proxy"'
    await expect(makePool({ proxy: proxyUrl }).json(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_PROXY',
    })
  })

  test('refuses connections is one too, with the reason', async () => {
    const pool = makePool({ proxy: `http://user:hidden@127.0.0.1:${await freePort()}` })
    const error = await pool.json(server.url('/')).catch(reason => reason)
    expect(error).toMatchObject({ code: 'ERR_MILLRACE_PROXY', cause: { code: 'ECONNREFUSED' } })
    expect(inspect(error)).not.toContain('hidden')
  })

  test('never answers is left after connectTimeout, and its place is free', async () => {
    refuse = 'hang'
    const pool = makePool({ proxy: proxyUrl, connectTimeout: 80, totalConnections: 1 })
    await expect(pool.json(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_HTTP_CONNECT_TIMEOUT',
    })
    await expect.poll(() => pool.stats().connections).toBe(0)
  })

  test('fails once is tried again', async () => {
    refuse = 'HTTP/1.1 503 Busy\r\n\r\n'
    const clock = new VirtualClock()
    const pool = makePool({ proxy: proxyUrl, retry: { baseDelay: 200 }, random: () => 1, clock })
    const answer = pool.json(server.url('/'), { method: 'POST', json: 1 })
    await expect.poll(() => pool.stats().retries).toBe(1)
    refuse = undefined
    clock.advance(200)
    await answer
    expect(tunnels).toHaveLength(2)
  })
})

test.each<[HttpPoolOptions, string]>([
  [{ proxy: 'socks5://user:hidden@127.0.0.1' }, 'proxy'],
  [{ proxy: 'user:hidden' }, 'proxy'],
  [{ proxy: 'http://user:%E0hidden@127.0.0.1' }, 'proxy'],
  [{ proxy: 'http://127.0.0.1:1', addresses: 'public' }, 'addresses'],
  [{ proxy: 'http://127.0.0.1:1', socketPath: '/hidden' }, 'socketPath'],
  [
    { origins: { 'http://a': { proxy: 'http://127.0.0.1:1', socketPath: '/hidden' } } },
    'origins["http://a"].socketPath',
  ],
])('%j is refused, without what it holds', (options, option) => {
  let error: unknown
  try {
    new HttpPool(options)
  } catch (reason) {
    error = reason
  }
  expect(error).toBeInstanceOf(InvalidOptionError)
  expect(error).toMatchObject({ option })
  expect(inspect(error)).not.toContain('hidden')
})

test.each([
  ['http://example.com', {}, undefined],
  ['http://example.com', { HTTP_PROXY: 'http://a:1' }, 'http://a:1'],
  ['http://example.com', { http_proxy: 'http://b:1', HTTP_PROXY: 'http://a:1' }, 'http://b:1'],
  ['https://example.com', { HTTP_PROXY: 'http://a:1' }, undefined],
  ['https://example.com', { HTTPS_PROXY: 'http://a:1' }, 'http://a:1'],
  ['http://example.com', { HTTP_PROXY: 'http://a:1', REQUEST_METHOD: 'GET' }, undefined],
  ['http://example.com', { HTTP_PROXY: 'http://a:1', NO_PROXY: 'example.com' }, undefined],
  ['http://www.example.com', { HTTP_PROXY: 'http://a:1', NO_PROXY: '.example.com' }, undefined],
  ['http://www.example.com', { HTTP_PROXY: 'http://a:1', NO_PROXY: '*.example.com' }, undefined],
  ['http://notexample.com', { HTTP_PROXY: 'http://a:1', NO_PROXY: 'example.com' }, 'http://a:1'],
  ['http://example.com:81', { HTTP_PROXY: 'http://a:1', NO_PROXY: 'example.com:80' }, 'http://a:1'],
  ['http://example.com', { HTTP_PROXY: 'http://a:1', NO_PROXY: 'x, example.com:80' }, undefined],
  ['http://127.0.0.1', { HTTP_PROXY: 'http://a:1', NO_PROXY: 'localhost 127.0.0.1' }, undefined],
  ['http://[::1]', { HTTP_PROXY: 'http://a:1', NO_PROXY: '::1' }, undefined],
  ['http://example.com', { HTTP_PROXY: 'http://a:1', NO_PROXY: '*' }, undefined],
])('of the environment, to %s with %j: %s', (url, environment, expected) => {
  const { protocol, hostname, port } = new URL(url)
  const choose = resolveProxy('proxy', 'environment', environment)
  const target = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port }
  expect(choose?.(target)?.origin).toBe(expected)
})
