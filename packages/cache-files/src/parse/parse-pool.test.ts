import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { ParseCache } from './parse-cache.ts'
import { ParsePool } from './parse-pool.ts'

const module = new URL('./parser.fixture.ts', import.meta.url)
const source = (signal = new AbortController().signal) => ({
  variant: '',
  hash: '',
  path: '/a',
  signal,
})

describe('ParsePool', () => {
  test('parses in threads, also for a cache', async () => {
    await using pool = new ParsePool<number>({ module, workers: 2 })
    const root = mkdtempSync(join(tmpdir(), 'millrace-pool-'))
    for (let i = 0; i < 20; i++) writeFileSync(join(root, `${i}`), 'w '.repeat(i))
    const words = new ParseCache({ files: new FileTable({ root }), id: 'words', parse: pool.parse })
    const counts = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => (await words.get(`${index}`)).value),
    )
    expect(counts).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(pool.stats()).toMatchObject({
      workers: 2,
      running: 0,
      queued: 0,
      parsed: 20,
      failures: 0,
    })
    rmSync(root, { recursive: true })
  })

  test('an error, an end of the thread, and a value that cannot be cloned cost their own source', async () => {
    await using pool = new ParsePool<number>({ module, workers: 1 })
    const results = await Promise.allSettled(
      ['throw', 'one two', 'exit', 'function', 'one'].map(text => pool.parse(text, source())),
    )
    expect(results).toMatchObject([
      { reason: { name: 'SyntaxError', message: 'no words' } },
      { value: 2 },
      { reason: { message: 'The parser ended its thread with 3' } },
      { reason: { message: expect.stringContaining('could not be cloned') } },
      { value: 1 },
    ])
    expect(pool.stats()).toMatchObject({ restarts: 1, parsed: 2, failures: 3 })
  })

  test('errors that are none, and threads that end by errors of their own, cost one source each', async () => {
    await using pool = new ParsePool<number>({ module, workers: 1 })
    const texts = ['throw nothing', 'throw a function', 'throw later', 'reject aside', 'one two']
    const results = await Promise.allSettled(texts.map(text => pool.parse(text, source())))
    expect(results).toMatchObject([
      { status: 'rejected', reason: undefined },
      { reason: { message: expect.stringContaining('could not be cloned') } },
      { status: 'rejected' },
      { reason: { message: 'aside' } },
      { value: 2 },
    ])
    expect(pool.stats()).toMatchObject({ restarts: 2, parsed: 1, failures: 4, queued: 0 })
  })

  test('messages of the module’s own are none of the pool’s', async () => {
    await using pool = new ParsePool<number>({ module, workers: 1 })
    expect(await pool.parse('chatter', source())).toBe(1)
    expect(await pool.parse('one two', source())).toBe(2)
  })

  test('a parser that blocks its thread for ever is ended after its timeout', async () => {
    const clock = new VirtualClock()
    await using pool = new ParsePool<number>({ module, workers: 1, timeout: 1_000, clock })
    const stuck = pool.parse('spin', source())
    stuck.catch(() => undefined)
    const next = pool.parse('one', source())
    await turn()
    clock.advance(1_000)
    await expect(stuck).rejects.toMatchObject({ code: 'ERR_MILLRACE_PARSE_TIMEOUT', path: '/a' })
    expect(await next).toBe(1)
  })

  test('what waits is bounded, and may leave', async () => {
    const pool = new ParsePool<number>({ module, workers: 1, maxQueue: 1 })
    const stuck = pool.parse('spin', source())
    const leaving = new AbortController()
    const queued = pool.parse('one', source(leaving.signal))
    await expect(pool.parse('one', source())).rejects.toMatchObject({
      code: 'ERR_MILLRACE_PARSE_QUEUE_FULL',
      maxQueue: 1,
    })
    leaving.abort(new Error('enough'))
    await expect(queued).rejects.toThrow('enough')
    const waits = pool.parse('one', source())
    const closed = { code: 'ERR_MILLRACE_PARSE_POOL_CLOSED' }
    const ended = Promise.all([
      expect(stuck).rejects.toMatchObject(closed),
      expect(waits).rejects.toMatchObject(closed),
    ])
    await pool.close()
    await ended
    await expect(pool.parse('one', source())).rejects.toMatchObject(closed)
  })

  test('a module without the function is a wrong option, told to each source', async () => {
    await using pool = new ParsePool({ module, name: 'absent', workers: 1 })
    const parsing = [pool.parse('a', source()), pool.parse('b', source())]
    for (const outcome of await Promise.allSettled(parsing)) {
      expect(outcome).toMatchObject({
        reason: {
          code: 'ERR_MILLRACE_INVALID_OPTION',
          option: 'module',
          expected: 'a module that exports a function `absent`',
        },
      })
    }
  })

  test('a module that does not exist is an error of each source', async () => {
    await using pool = new ParsePool({
      module: new URL('./nowhere.js', import.meta.url),
      workers: 1,
    })
    await expect(pool.parse('one', source())).rejects.toThrow('nowhere.js')
    await expect(pool.parse('one', source())).rejects.toThrow('nowhere.js')
  })
})
