import type { Server } from 'node:http'
import * as undici from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpPool } from '../index.ts'
import type { Fetcher } from './fetch-case.fixture.ts'
import { fetchCases } from './fetch-conformance.fixture.ts'
import { redirectCases } from './fetch-redirects.fixture.ts'
import { startFetchServer } from './fetch-server.fixture.ts'

let server: Server
let base: string
const pool = new HttpPool()

beforeAll(async () => {
  ;({ base, server } = await startFetchServer())
})

afterAll(async () => {
  await pool.destroy()
  server.closeAllConnections()
  server.close()
})

const { Request, Response, Headers, FormData } = globalThis
const contenders: readonly (readonly [string, Fetcher])[] = [
  ['a pool', { Request, Response, Headers, FormData, fetch: pool.fetch.bind(pool) as never }],
  ['undici', undici as unknown as Fetcher],
]

describe.each(contenders)('the fetch of %s', (_name, fetcher) => {
  test.each([...redirectCases, ...fetchCases])('%s', async (_case, run, expected) => {
    expect(await run(fetcher, base)).toEqual(expected)
  })
})
