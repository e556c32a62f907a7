import { UpstreamServer } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { HttpPool } from './index.ts'

test('bodies that nobody reads are given up when others wait, not before', async () => {
  await using server = await UpstreamServer.start()
  server.on('/large', { body: Buffer.alloc(5_000_000) })
  server.on('/small', { body: '"served"' })
  const pool = new HttpPool({ connectionsPerHost: 2, bodyLeakTimeout: 60 })
  const leaked = await Promise.all([1, 2].map(() => pool.request(server.url('/large'))))
  const errors = leaked.map(({ body }) => new Promise(resolve => body.on('error', resolve)))
  await new Promise(resolve => setTimeout(resolve, 200))
  expect(pool.stats().pending).toBe(2)
  expect(await pool.json(server.url('/small'))).toBe('served')
  const error = await Promise.race(errors)
  expect(error).toMatchObject({ code: 'ERR_MILLRACE_BODY_LEAK', timeout: 60 })
  await pool.destroy()
})

test('a slow reader is no leak', async () => {
  await using server = await UpstreamServer.start()
  server.on('/large', { body: Buffer.alloc(2_000_000) })
  server.on('/small', { body: '"served"' })
  const pool = new HttpPool({ connectionsPerHost: 1, bodyLeakTimeout: 150 })
  const { body } = await pool.request(server.url('/large'))
  const small = pool.json(server.url('/small'))
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length % 500_000 < 70_000) await new Promise(resolve => setTimeout(resolve, 30))
  }
  expect(length).toBe(2_000_000)
  expect(await small).toBe('served')
  await pool.close()
})
