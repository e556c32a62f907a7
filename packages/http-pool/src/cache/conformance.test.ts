import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MemoryStore } from '@millrace/cache-core/memory'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type CachedResponses, HttpPool } from '../index.ts'
import { freezeClocks, releaseClocks } from '../testing/frozen-clocks.fixture.ts'
import { conformanceCases, type Step } from './conformance.fixture.ts'

const body = '0123456789A'

let server: Server
let url: string
/** What the step that runs has had sent to the origin. */
let asked: IncomingHttpHeaders[]
let answer: NonNullable<Step['answer']>
let isNotModified: boolean

beforeAll(async () => {
  server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    asked.push(request.headers)
    response.sendDate = false
    response.statusCode = isNotModified ? 304 : 200
    for (const [name, value] of Object.entries(answer)) {
      const isDate = typeof value === 'number'
      const text = isDate ? new Date(Date.now() + 1_000 * value).toUTCString() : value
      response.setHeader(name, text as string | string[])
    }
    if (isNotModified) response.end()
    else {
      // In chunks: the cache learns the length by itself.
      response.write(body.slice(0, 4))
      response.end(body.slice(4))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

beforeEach(() => freezeClocks())

afterEach(releaseClocks)

const stores: [string, () => object][] = [
  ['undici’s memory', () => ({})],
  ['a store of cache-core', () => ({ store: new MemoryStore<CachedResponses>() })],
]

describe.each(stores)('in %s', (_name, makeStore) => {
  test.each(conformanceCases.map(each => [each.id, each] as const))(
    '%s',
    async (_id, { options, steps }) => {
      await using pool = new HttpPool({ retry: false, cache: { ...options, ...makeStore() } })
      for (const { after = 0, send = {}, from, status, text, has, sent, ...step } of steps) {
        vi.setSystemTime(Date.now() + 1_000 * after)
        asked = []
        answer = step.answer ?? {}
        isNotModified = from === 'validated'
        const response = await pool.request(url, {
          headers: send as Record<string, string | string[]>,
        })
        expect(await response.body.text()).toBe(text ?? body)
        // A response is kept after its caller has it.
        await new Promise(setImmediate)
        const validators = asked.map(
          headers => headers['if-none-match'] ?? headers['if-modified-since'],
        )
        if (from === 'stored') expect(asked).toEqual([])
        else if (from === 'unused') expect(asked).toHaveLength(1)
        else expect(validators).toEqual([from === 'fetched' ? undefined : expect.any(String)])
        expect(response.statusCode).toBe(status ?? 200)
        for (const [name, value] of Object.entries(has ?? {}))
          expect(response.headers[name]).toBe(value)
        if (sent !== undefined) expect(asked[0]).toMatchObject(sent)
      }
    },
  )
})
