import { UpstreamServer } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { HttpPoolOptions } from '../index.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

let other: UpstreamServer
const makePool = useUpstream({ retry: { baseDelay: 0 } })

beforeEach(async () => {
  other = await UpstreamServer.start()
  for (const each of [server, other]) each.on('*', { body: '1' })
})

afterEach(() => other.kill())

const sent = (to: UpstreamServer, index = 0) => to.requests[index]!.headers

/** For all origins, and of the one server. */
function headersFor(own: Record<string, string>): HttpPoolOptions {
  return {
    headers: { 'User-Agent': 'service/1', 'x-team': 'search' },
    origins: { [server.origin]: { headers: own } },
  }
}

test('are sent with each request and attempt, those of an origin to no other', async () => {
  const pool = makePool(headersFor({ authorization: 'Bearer secret', 'X-Team': 'own' }))
  server.on('/', 503, { body: '1' })
  await pool.json(server.url('/'))
  await pool.json(other.url('/'))
  await (await pool.fetch(server.url('/'))).text()
  for (const index of [0, 1, 2]) {
    expect(sent(server, index)).toMatchObject({ authorization: 'Bearer secret', 'x-team': 'own' })
  }
  expect(sent(server)['user-agent']).toBe('service/1')
  expect(sent(other)).toMatchObject({ 'user-agent': 'service/1', 'x-team': 'search' })
  expect(sent(other).authorization).toBeUndefined()
})

test('those of the call have precedence, in whatever shape and case', async () => {
  const pool = makePool({ headers: { 'x-team': 'search' } })
  const shapes = [{ 'X-Team': 'own' }, ['X-TEAM', 'own'], new Headers({ 'x-team': 'own' })]
  for (const headers of shapes) await pool.json(server.url('/'), { headers })
  expect(server.requests.map(({ headers }) => headers['x-team'])).toEqual(['own', 'own', 'own'])
})

test('are left out where the call has null in their place, and after a redirect too', async () => {
  const pool = makePool(headersFor({ authorization: 'Bearer secret' }))
  server.on('/moved', { status: 302, headers: { location: '/' } })
  for (const send of [pool.request, pool.json]) {
    server.requests.length = 0
    const headers = { 'X-TEAM': null, Authorization: null, 'user-agent': undefined }
    await send.call(pool, server.url('/moved'), { headers })
    await expect.poll(() => server.requests.length).toBe(2)
    for (const index of [0, 1]) {
      expect(sent(server, index)['x-team']).toBeUndefined()
      expect(sent(server, index).authorization).toBeUndefined()
      expect(sent(server, index)['user-agent']).toBe('service/1')
    }
  }
})

test('are left behind by a redirect to another origin, which gets its own', async () => {
  const pool = makePool({
    origins: {
      [server.origin]: { headers: { authorization: 'Bearer one', 'x-key': 'one' } },
      [other.origin]: { headers: { authorization: 'Bearer other' } },
    },
  })
  server.on('/within', { status: 302, headers: { location: '/out' } })
  server.on('/out', { status: 307, headers: { location: other.url('/') } })
  await pool.json(server.url('/within'))
  expect(sent(server, 1)).toMatchObject({ authorization: 'Bearer one', 'x-key': 'one' })
  expect(sent(other).authorization).toBe('Bearer other')
  expect(sent(other)['x-key']).toBeUndefined()
})

test('credentials among them keep responses out of a shared cache', async () => {
  server.on('/', { body: '1', cacheControl: 'max-age=60' })
  const pool = makePool({ cache: true, ...headersFor({ authorization: 'Bearer secret' }) })
  for (let i = 0; i < 2; i++) {
    await pool.json(server.url('/'))
    await new Promise(setImmediate)
  }
  expect(server.requests).toHaveLength(2)
})

describe('are refused', () => {
  test.each<[Record<string, unknown>, string]>([
    [
      { headers: 'a: b' },
      'Expected `headers` to be an object of names and values, got a string of length 4',
    ],
    [
      { headers: [['a', 'b']] },
      'Expected `headers` to be an object of names and values, got an array of length 1',
    ],
    [
      { headers: { 'x a': 'secret' } },
      'Expected `headers` to be named by valid names of headers, got a string of length 3',
    ],
    [
      { headers: { 'x-a': 'secret\r\nx-b: c' } },
      'Expected `headers["x-a"]` to be a valid value of a header, got a string of length 14',
    ],
    [
      { headers: { 'x-a': 1 } },
      'Expected `headers["x-a"]` to be a valid value of a header, got a positive integer of 1 digit',
    ],
    [
      { headers: { Authorization: 'secret' } },
      'Expected `headers["authorization"]` to be absent, as credentials belong in `origins`, got a string of length 6',
    ],
    [
      { origins: { 'http://a.example': { headers: { '': 'secret' } } } },
      'Expected `origins["http://a.example"].headers` to be named by valid names of headers, got an empty string',
    ],
  ])('%j', (options, message) => {
    expect(() => makePool(options)).toThrow(expect.objectContaining({ message }))
  })
})
