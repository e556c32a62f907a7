import { once } from 'node:events'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import {
  expressApp,
  honoApp,
  http2Fastify,
  plainFastify,
  typeboxFastify,
  zodFastify,
} from './typed-routes.fixture.ts'

/** The statuses of requests that are made one after another. */
async function statuses<T>(
  calls: readonly T[],
  make: (call: T) => Promise<number>,
): Promise<number[]> {
  const seen: number[] = []
  for (const call of calls) seen.push(await make(call))
  return seen
}

describe('keys of typed routes', () => {
  test('of Fastify, from parameters, query, body and configuration', async () => {
    await using app = await plainFastify()
    const get = async (url: string) => (await app.inject(url)).statusCode
    const post = async (payload: object) =>
      (await app.inject({ method: 'POST', url: '/body', payload })).statusCode
    const ids = ['a', 'b', 'a']
    expect(await statuses(ids, id => get(`/params/${id}`))).toEqual([200, 200, 429])
    expect(await statuses(ids, id => get(`/query?team=${id}`))).toEqual([200, 200, 429])
    expect(await statuses(ids, id => get(`/config/${id}`))).toEqual([200, 200, 429])
    expect(await statuses(ids, id => get(`/plugin?team=${id}`))).toEqual([200, 200, 429])
    const sizes = [2, 2, 1].map(size => ({ name: 'a', size }))
    expect(await statuses(sizes, post)).toEqual([200, 429, 200])
  })

  test('of Fastify with TypeBox', async () => {
    await using app = typeboxFastify()
    const get = async (url: string) => (await app.inject(url)).statusCode
    for (const path of ['params', 'least']) {
      expect(await statuses(['a', 'b', 'a'], id => get(`/${path}/${id}`))).toEqual([200, 200, 429])
    }
    const post = async (size: number, headers = {}) =>
      (await app.inject({ method: 'POST', url: '/parts/a', payload: { size }, headers })).statusCode
    expect(await statuses([2, 2, 1], size => post(size))).toEqual([200, 429, 200])
    expect(await post(1, { 'x-internal': '1' })).toBe(200)
  })

  test('of Fastify with Zod', async () => {
    await using app = zodFastify()
    const post = async (name: unknown) =>
      (await app.inject({ method: 'POST', url: '/body', payload: { name } })).statusCode
    expect(await statuses(['a', 'b', 'a', 1], post)).toEqual([200, 200, 429, 400])
  })

  test('of Fastify on HTTP/2', async () => {
    await using app = await http2Fastify()
    const client = connect(await app.listen({ port: 0, host: '127.0.0.1' }))
    const get = async (path: string) => {
      const stream = client.request({ ':path': path }).resume()
      const [headers] = (await once(stream, 'response')) as [Record<string, string>]
      await once(stream, 'end')
      return [headers[':status'], headers['ratelimit-policy']]
    }
    const all = '"all";q=1000;w=1, "address";q=1000;w=1'
    const own = '"http2";q=1;w=1000'
    expect(await get('/params/a')).toEqual([200, `${all}, ${own}`])
    expect(await get('/params/b')).toEqual([200, `${all}, ${own}`])
    expect(await get('/params/a')).toEqual([429, `${all}, ${own}`])
    expect((await get('/plugin'))[0]).toBe(200)
    expect((await get('/plugin'))[0]).toBe(429)
    client.close()
  })

  test('of Express', async () => {
    const server = expressApp().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const get = async (path: string) => (await fetch(url + path)).status
    const post = async (name: string) => {
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify({ name })
      return (await fetch(`${url}/body`, { method: 'POST', headers, body })).status
    }
    const ids = ['a', 'b', 'a']
    for (const path of ['/params', '/router/inner', '/unknown']) {
      expect(await statuses(ids, id => get(`${path}/${id}`))).toEqual([200, 200, 429])
    }
    expect(await statuses(ids, post)).toEqual([200, 200, 429])
    expect(await statuses(ids, id => get(`/address/${id}`))).toEqual([200, 200, 200])
    server.close()
    server.closeAllConnections()
  })

  test('of Hono', async () => {
    const app = honoApp()
    const get = async (path: string, account: string) =>
      (await app.request(path, { headers: { 'x-account': account } })).status
    expect(await statuses(['a', 'b', 'a'], id => get('/params/1', id))).toEqual([200, 200, 429])
    expect(await statuses(['a', 'b', 'a'], id => get(`/path/${id}`, 'x'))).toEqual([200, 200, 429])
  })
})
