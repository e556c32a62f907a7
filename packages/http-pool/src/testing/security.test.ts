import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { FaultProxy, selfSignedCertificate, UpstreamServer, VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { isPublicAddress } from '../index.ts'
import { resolvesTo } from './lookup.fixture.ts'
import { server, useUpstream } from './upstream.fixture.ts'

const makePool = useUpstream({ retry: false })

describe('addresses', () => {
  test.each([
    ['8.8.8.8', true],
    ['2606:4700::1111', true],
    ['127.0.0.1', false],
    ['127.8.9.10', false],
    ['0.0.0.0', false],
    ['10.1.2.3', false],
    ['172.31.255.255', false],
    ['172.32.0.1', true],
    ['192.168.1.1', false],
    ['169.254.169.254', false],
    ['100.64.0.1', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::1', false],
    ['::', false],
    ['::ffff:127.0.0.1', false],
    ['::ffff:8.8.8.8', false],
    ['64:ff9b::7f00:1', false],
    ['2002:7f00:1::', false],
    ['::ffff:0:127.0.0.1', false],
    ['4000::1', false],
    ['fe80::1%eth0', false],
    ['fd00::1', false],
    ['ff02::1', false],
    ['2001:db8::1', false],
    ['not an address', false],
  ])('%s is public: %s', (address, expected) => {
    expect(isPublicAddress(address)).toBe(expected)
  })

  test('only of a text can it be said whether it is a public address', () => {
    for (const address of [5, null, undefined, {}, ['8.8.8.8']]) {
      expect(() => isPublicAddress(address as never)).toThrow('Expected `address` to be a string')
    }
  })

  test.each(['127.0.0.1', '[::1]', '0x7f.1', '2130706433', 'localhost'])(
    'http://%s is refused before anything is sent',
    async host => {
      const pool = makePool({ addresses: 'public' })
      await expect(pool.request(`http://${host}:${server.port}/`)).rejects.toMatchObject({
        name: 'AddressNotAllowedError',
        code: 'ERR_MILLRACE_ADDRESS_NOT_ALLOWED',
      })
      expect(server.stats().accepted).toBe(0)
      await expect.poll(() => pool.stats().connections).toBe(0)
    },
  )

  test('a name is judged by what it resolves to, at the time of the connection', async () => {
    const pool = makePool({ addresses: 'public', lookup: resolvesTo('127.0.0.1', '10.0.0.1') })
    await expect(pool.request('http://rebound.example/')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_ADDRESS_NOT_ALLOWED',
      origin: 'http://rebound.example',
    })
  })

  test('addresses that are not allowed are left out of several', async () => {
    server.on('*', { body: '"reached"' })
    const asked: string[] = []
    const pool = makePool({
      lookup: resolvesTo('10.0.0.1', '127.0.0.1'),
      addresses: address => {
        asked.push(address)
        return address === '127.0.0.1'
      },
    })
    expect(await pool.json(`http://two.example:${server.port}/`)).toBe('reached')
    expect(asked).toEqual(['10.0.0.1', '127.0.0.1'])
  })

  test('hold for redirects', async () => {
    server.on('/', { status: 302, headers: { location: 'http://169.254.169.254/latest/' } })
    const pool = makePool({ addresses: address => address === '127.0.0.1' })
    await expect(pool.request(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_ADDRESS_NOT_ALLOWED',
      origin: 'http://169.254.169.254',
    })
  })
})

describe('sizes', () => {
  test('a body beyond maxResponseSize is cut off', async () => {
    server.on('*', { body: Buffer.alloc(100_000) })
    const pool = makePool({ maxResponseSize: 99_999 })
    const { body } = await pool.request(server.url('/'))
    await expect(body.text()).rejects.toMatchObject({
      name: 'ResponseTooLargeError',
      code: 'ERR_MILLRACE_RESPONSE_TOO_LARGE',
      limit: 99_999,
    })
    const other = await pool.request(server.url('/'), { maxResponseSize: 100_000 })
    expect((await other.body.bytes()).length).toBe(100_000)
  })

  test('a head beyond maxHeaderSize is refused', async () => {
    server.on('*', { headers: { 'x-long': 'y'.repeat(5_000) } })
    const pool = makePool({ maxHeaderSize: 2_000 })
    await expect(pool.request(server.url('/'))).rejects.toMatchObject({
      code: 'UND_ERR_HEADERS_OVERFLOW',
    })
  })
})

describe('decompression', () => {
  const text = JSON.stringify({ hello: 'world '.repeat(1_000) })
  const encode = {
    gzip: gzipSync,
    deflate: deflateSync,
    br: brotliCompressSync,
    zstd: zstdCompressSync,
  }

  test.each(Object.keys(encode) as (keyof typeof encode)[])('of %s', async encoding => {
    server.on('*', ({ headers }) => {
      expect(headers['accept-encoding']).toContain(encoding)
      return { body: encode[encoding](text), headers: { 'content-encoding': encoding } }
    })
    const pool = makePool({ decompress: true })
    expect(await pool.json(server.url('/'))).toEqual(JSON.parse(text))
    const { headers, body } = await pool.request(server.url('/'))
    expect(headers['content-encoding']).toBeUndefined()
    let streamed = ''
    for await (const chunk of body.setEncoding('utf8')) streamed += chunk
    expect(streamed).toBe(text)
  })

  test('of deflate without its wrapper', async () => {
    server.on('/', { body: deflateRawSync(text), headers: { 'content-encoding': 'deflate' } })
    expect(await makePool({ decompress: true }).json(server.url('/'))).toEqual(JSON.parse(text))
  })

  test('for fetch, which unpacks nothing a second time', async () => {
    server.on('/', { body: gzipSync(text), headers: { 'content-encoding': 'gzip' } })
    for (const options of [{}, { cache: true, coalesce: true }]) {
      const response = await makePool({ decompress: true, ...options }).fetch(server.url('/'))
      expect(await response.text()).toBe(text)
      expect(response.headers.has('content-encoding')).toBe(false)
    }
  })

  test('of two layers, and not of what is unknown', async () => {
    const twice = gzipSync(brotliCompressSync(text))
    server.on('/twice', { body: twice, headers: { 'content-encoding': 'br, gzip' } })
    server.on('/unknown', { body: 'raw', headers: { 'content-encoding': 'x-secret' } })
    server.on('/empty', { body: '', headers: { 'content-encoding': 'gzip' } })
    const pool = makePool({ decompress: true })
    expect(await pool.json(server.url('/twice'))).toEqual(JSON.parse(text))
    const { headers, body } = await pool.request(server.url('/unknown'))
    expect([headers['content-encoding'], await body.text()]).toEqual(['x-secret', 'raw'])
    expect(await (await pool.request(server.url('/empty'))).body.text()).toBe('')
    const head = await pool.request(server.url('/twice'), { method: 'HEAD' })
    await head.body.dump()
  })

  test('a bomb is cut off at the bound', async () => {
    // Members of a gzip stream are unpacked one after another (RFC 1952 section 2.2).
    const bomb = Buffer.concat(Array(10).fill(gzipSync(Buffer.alloc(20_000_000))))
    expect(bomb.length).toBeLessThan(250_000)
    server.on('*', { body: bomb, headers: { 'content-encoding': 'gzip' } })
    const pool = makePool({ decompress: true, maxResponseSize: 1_000_000 })
    const before = process.memoryUsage().rss
    const { body } = await pool.request(server.url('/'))
    await expect(body.text()).rejects.toMatchObject({ code: 'ERR_MILLRACE_RESPONSE_TOO_LARGE' })
    const response = await pool.fetch(server.url('/'))
    await expect(response.text()).rejects.toThrow()
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
    await expect.poll(() => pool.stats().pending).toBe(0)
  })

  test('damaged and truncated streams are errors', async () => {
    const whole = gzipSync(text)
    server.on('/cut', { body: whole.subarray(0, -10), headers: { 'content-encoding': 'gzip' } })
    server.on('/junk', { body: 'no gzip', headers: { 'content-encoding': 'gzip' } })
    const pool = makePool({ decompress: true })
    for (const path of ['/cut', '/junk']) {
      const { body } = await pool.request(server.url(path))
      await expect(body.text()).rejects.toMatchObject({ code: expect.stringMatching(/^Z_/) })
    }
    await expect.poll(() => pool.stats()).toMatchObject({ pending: 0, deadlines: 0 })
  })

  test('under back-pressure', async () => {
    const large = Buffer.alloc(5_000_000, 'abc')
    server.on('*', { body: gzipSync(large), headers: { 'content-encoding': 'gzip' } })
    const pool = makePool({ decompress: true })
    const { body } = await pool.request(server.url('/'))
    let length = 0
    for await (const chunk of body) {
      length += chunk.length
      if (length % 10 === 0) await new Promise(setImmediate)
    }
    expect(length).toBe(large.length)
  })
})

describe('TLS', () => {
  test('a certificate that is not trusted, or not for this host, is an error that is not retried', async () => {
    const secure = await UpstreamServer.start({ tls: true })
    const pool = makePool({ retry: { baseDelay: 0 } })
    await expect(pool.request(secure.url('/'))).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
    expect(pool.stats().attempts).toBe(1)
    const trusting = makePool({
      retry: { baseDelay: 0 },
      tls: { ca: secure.certificate! },
      lookup: resolvesTo('127.0.0.1'),
    })
    await expect(trusting.request(`https://other.example:${secure.port}/`)).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    expect(trusting.stats().attempts).toBe(1)
    const { body } = await trusting.request(secure.url('/'))
    expect(await body.text()).toBe('200')
    await secure.kill()
  })

  test('no version in common is an error that is not retried', async () => {
    const { key, cert } = selfSignedCertificate()
    const modern = createServer({ key, cert, minVersion: 'TLSv1.3' })
    modern.on('tlsClientError', () => {})
    modern.listen(0, '127.0.0.1')
    await once(modern, 'listening')
    const { port } = modern.address() as AddressInfo
    const pool = makePool({ retry: { baseDelay: 0 }, tls: { ca: cert, maxVersion: 'TLSv1.2' } })
    await expect(pool.request(`https://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    })
    expect(pool.stats()).toMatchObject({ attempts: 1, open: 0, deadlines: 0 })
    modern.close()
  })

  test('a handshake that is cut off is tried again, whatever the method', async () => {
    const secure = await UpstreamServer.start({ tls: true })
    const proxy = await FaultProxy.start({ target: secure.port })
    proxy.cutAfter(100)
    secure.on('*', { body: '"sent"' })
    const clock = new VirtualClock()
    const pool = makePool({
      retry: { baseDelay: 1_000 },
      random: () => 1,
      clock,
      tls: { ca: secure.certificate! },
    })
    const answer = pool.json(`https://127.0.0.1:${proxy.port}/`, { json: 1 })
    await expect.poll(() => pool.stats().retries).toBe(1)
    await proxy.heal()
    clock.advance(1_000)
    expect(await answer).toBe('sent')
    expect(secure.requests).toHaveLength(1)
    await proxy.stop()
    await secure.kill()
  })

  test('a plain server behind an https URL is an error', async () => {
    const pool = makePool({})
    await expect(pool.request(server.url('/').replace('http:', 'https:'))).rejects.toThrow()
    await expect.poll(() => pool.stats().connections).toBe(0)
  })
})
