import { describe, expect, test } from 'vitest'
import { resolvesTo } from '../testing/lookup.fixture.ts'
import { server, useUpstream } from '../testing/upstream.fixture.ts'

const makePool = useUpstream({ retry: { baseDelay: 0 } })

describe('of several addresses', () => {
  test.each([
    ['of one family', '127.0.0.2', '127.0.0.3', '127.0.0.1'],
    ['of both families', '::1', '127.0.0.1'],
    ['with the good one first', '127.0.0.1', '::1', '127.0.0.2'],
  ])('%s, those that refuse give way to the next, in one attempt', async (_name, ...addresses) => {
    server.on('*', { body: '"reached"' })
    const pool = makePool({ lookup: resolvesTo(...addresses) })
    expect(await pool.json(`http://many.example:${server.port}/`)).toBe('reached')
    expect(pool.stats()).toMatchObject({ attempts: 1, failures: 0, created: 1, open: 1 })
  })

  test('that all refuse: another attempt asks for the addresses again', async () => {
    server.on('*', { body: '"moved"' })
    let lookups = 0
    const pool = makePool({
      lookup: (...parameters) => {
        const addresses = ++lookups === 1 ? ['127.0.0.2', '127.0.0.3'] : ['127.0.0.2', '127.0.0.1']
        resolvesTo(...addresses)(...parameters)
      },
    })
    const url = `http://many.example:${server.port}/`
    expect(await pool.json(url, { method: 'POST', json: 1 })).toBe('moved')
    expect(pool.stats()).toMatchObject({ attempts: 2, retries: 1, created: 2, open: 1 })
  })

  test('that always refuse: the error is that of the addresses', async () => {
    const pool = makePool({ lookup: resolvesTo('127.0.0.2', '127.0.0.3') })
    const error = await pool.json(`http://many.example:${server.port}/`).catch(reason => reason)
    expect(error).toBeInstanceOf(AggregateError)
    expect((error as AggregateError).errors).toMatchObject([
      { code: 'ECONNREFUSED', address: '127.0.0.2' },
      { code: 'ECONNREFUSED', address: '127.0.0.3' },
    ])
    expect(pool.stats()).toMatchObject({ attempts: 3, open: 0, deadlines: 0 })
    await expect.poll(() => pool.stats().connections).toBe(0)
  })
})

test.each(['EAI_AGAIN', 'ENOTFOUND'])('a lookup that fails with %s is tried again', async code => {
  server.on('*', { body: '"found"' })
  let lookups = 0
  const pool = makePool({
    lookup: (hostname, options, callback) => {
      if (++lookups > 1) resolvesTo('127.0.0.1')(hostname, options, callback)
      else callback(Object.assign(new Error(`${code} ${hostname}`), { code }), '', 0)
    },
  })
  expect(await pool.json(`http://name.example:${server.port}/`)).toBe('found')
  expect(pool.stats()).toMatchObject({ attempts: 2, retries: 1, open: 1 })
})
