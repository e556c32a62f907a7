import { UpstreamServer, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HttpPool } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

let other: UpstreamServer
let pool: HttpPool
const makePool = useUpstream({ retry: false })

beforeEach(async () => {
  other = await UpstreamServer.start()
  pool = makePool()
})

afterEach(() => other.kill())

const to = (location: string, status = 302) => ({ status, headers: { location } })
const credentials = {
  authorization: 'Bearer secret',
  cookie: 'session=1',
  'proxy-authorization': 'Basic x',
  accept: 'text/plain',
}

describe('redirects', () => {
  test('are followed, with relative locations', async () => {
    server.on('/a/b', to('../c?x=1'))
    server.on('/c', { body: 'there' })
    const { url, statusCode, body } = await pool.request(server.url('/a/b'))
    expect([url, statusCode, await body.text()]).toEqual([server.url('/c?x=1'), 200, 'there'])
    expect(server.requests[1]!.url).toBe('/c?x=1')
  })

  test('are handed to the caller with maxRedirects: 0', async () => {
    server.on('/', to('/b'))
    const response = await pool.request(server.url('/'), { maxRedirects: 0 })
    await response.body.dump()
    const { url, statusCode, headers } = response
    expect([url, statusCode, headers.location]).toEqual([server.url('/'), 302, '/b'])
  })

  test('to another origin lose credentials, within the origin they keep them', async () => {
    server.on('/within', to('/out'))
    server.on('/out', to(other.url('/in')))
    other.on('/in', { body: '1' })
    await pool.json(server.url('/within'), { headers: credentials })
    expect(server.requests[1]!.headers).toMatchObject(credentials)
    const { headers } = other.requests[0]!
    expect(headers.accept).toBe('text/plain')
    expect(headers.host).toBe(`127.0.0.1:${other.port}`)
    for (const name of ['authorization', 'cookie', 'proxy-authorization']) {
      expect(headers[name]).toBeUndefined()
    }
  })

  test.each([
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [307, 'POST', 'POST', 'data'],
    [308, 'PUT', 'PUT', 'data'],
    [302, 'PUT', 'PUT', 'data'],
  ])('%d turns %s into %s', async (status, method, expected, body) => {
    server.on('/', to('/b', status))
    server.on('/b', { body: '1' })
    await pool.json(server.url('/'), {
      method,
      body: 'data',
      headers: { 'content-type': 'text/x' },
    })
    expect(server.requests[1]).toMatchObject({ method: expected, body: Buffer.from(body) })
    expect(server.requests[1]!.headers['content-type']).toBe(body === '' ? undefined : 'text/x')
  })

  test('in a loop end at the limit', async () => {
    server.on('/a', to('/b'))
    server.on('/b', to('/a'))
    await expect(pool.request(server.url('/a'))).rejects.toMatchObject({
      name: 'RedirectError',
      code: 'ERR_MILLRACE_REDIRECT',
      reason: 'limit',
    })
    expect(server.requests).toHaveLength(6)
    expect(pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })

  test('from https to http are refused', async () => {
    const secure = await UpstreamServer.start({ tls: true })
    secure.on('/', to(server.url('/')))
    const trusting = new HttpPool({ tls: { ca: secure.certificate! } })
    await expect(trusting.request(secure.url('/'))).rejects.toMatchObject({ reason: 'downgrade' })
    expect(server.requests).toHaveLength(0)
    await trusting.destroy()
    await secure.kill()
  })

  test.each([
    'javascript:alert(1)',
    'file:///etc/passwd',
    'http://',
    'http://user:pw@example.com/',
  ])('to %s are refused', async location => {
    server.on('/', to(location))
    const error = await pool.request(server.url('/')).catch(each => each)
    expect(error).toMatchObject({ reason: 'location' })
    expect(error.message).not.toContain('pw')
  })

  test('that would need a spent stream again are refused', async () => {
    server.on('/', to('/b', 307))
    const body = ReadableStream.from([Buffer.from('x')])
    await expect(
      pool.request(server.url('/'), { method: 'POST', body: body as never }),
    ).rejects.toMatchObject({ reason: 'body' })
  })

  test('share the total timeout', async () => {
    const clock = new VirtualClock()
    server.on('/a', () => {
      clock.advance(60)
      return to('/b')
    })
    server.on('/b', { fault: 'hang' })
    const timed = makePool({ clock })
    const failed = timed.request(server.url('/a'), { totalTimeout: 120 }).catch(error => error)
    await expect.poll(() => server.requests.length).toBe(2)
    clock.advance(59)
    expect(timed.stats().pending).toBe(1)
    clock.advance(1)
    expect(await failed).toMatchObject({ phase: 'total', timeout: 120 })
  })

  test.each([
    ['endless', { chunkSize: 1, chunkDelay: 5 }],
    ['large', { chunkSize: 32 * 1024 }],
  ])('with an %s body do not outlive the call', async (_name, pace) => {
    const headers = { location: '/b', 'content-length': undefined }
    server.on('/a', { status: 302, headers, body: Buffer.alloc(1_000_000), ...pace })
    server.on('/b', { body: 'there' })
    const { body } = await pool.request(server.url('/a'))
    expect(await body.text()).toBe('there')
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0, open: 1 })
  })

  test('with two locations are refused', async () => {
    server.on('/a', { status: 302, headers: { location: ['/b', '/c'] as never } })
    await expect(pool.request(server.url('/a'))).rejects.toMatchObject({ reason: 'location' })
  })

  test('are aborted with their caller', async () => {
    server.on('/a', to('/b'))
    server.on('/b', { fault: 'hang' })
    const controller = new AbortController()
    const result = pool.request(server.url('/a'), { signal: controller.signal })
    await expect.poll(() => server.requests.length).toBe(2)
    controller.abort(new Error('enough'))
    await expect(result).rejects.toThrow('enough')
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })
})
