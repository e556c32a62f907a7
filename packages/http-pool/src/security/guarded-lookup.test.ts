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

describe("a lookup of the user's own", () => {
  type Answer = (error: unknown, addresses?: unknown, family?: number) => void
  const ask = (
    lookup: (name: string, options: object, answer: Answer) => void,
    allow?: 'public',
  ) => {
    server.on('*', { body: '"reached"' })
    const pool = makePool({ retry: false, lookup: lookup as never, addresses: allow })
    return pool.json(`http://name.example:${server.port}/`)
  }

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a name', [{ address: 'localhost', family: 4 }]],
    ['a number in hexadecimal', [{ address: '0x7f000001', family: 4 }]],
    ['an address that is an object', [{ address: { toString: () => '127.0.0.1' }, family: 4 }]],
    ['a list of undefined', [undefined]],
  ])('that gives %s is an error of its option', async (_name, given) => {
    for (const allow of [undefined, 'public'] as const) {
      await expect(
        ask((_host, _options, answer) => answer(null, given), allow),
      ).rejects.toMatchObject({
        code: 'ERR_MILLRACE_INVALID_OPTION',
        option: 'lookup',
      })
    }
  })

  test('may be asynchronous: what it throws or returns instead of calling back is the error of the call', async () => {
    const reached = ask(async (_host, _options, answer) => {
      await new Promise(setImmediate)
      answer(null, '127.0.0.1', 4)
    })
    expect(await reached).toBe('reached')
    const rejecting = ask(async () => {
      throw new RangeError('mine')
    })
    await expect(rejecting).rejects.toThrow('mine')
    const returning = ask((async () => '127.0.0.1') as never)
    await expect(returning).rejects.toMatchObject({ option: 'lookup' })
  })

  test('may give one address, or the wrong family, or answer twice', async () => {
    expect(await ask((_host, _options, answer) => answer(null, '127.0.0.1', 4))).toBe('reached')
    const mistaken = [{ address: '127.0.0.1', family: 6 }]
    expect(await ask((_host, _options, answer) => answer(null, mistaken))).toBe('reached')
    const twice = ask((_host, _options, answer) => {
      answer(null, mistaken)
      answer(null, mistaken)
    })
    expect(await twice).toBe('reached')
  })
})

test('addresses that wait for their verdict are refused: a promise is true, whatever it says', async () => {
  server.on('*', { body: '"reached"' })
  for (const addresses of [
    async () => false,
    async () => true,
    () => Promise.reject(new Error('late')),
  ]) {
    const pool = makePool({ addresses: addresses as never, retry: false })
    await expect(pool.json(server.url('/'))).rejects.toMatchObject({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'addresses',
    })
  }
  expect(server.requests).toHaveLength(0)
})
