import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { jsonCodec } from '@millrace/cache-core/store'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Facts } from '../facts/facts.ts'
import type { StoredResult } from '../persist/stored-result.ts'
import { FileTable } from '../table/file-table.ts'
import { fingerprintOf } from '../value/fingerprint.ts'
import { Graph } from './graph.ts'
import type { GraphOptions } from './graph-options.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-stored-')))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true })
})

async function withGraph<T>(
  work: (graph: Graph) => Promise<T>,
  options: Partial<GraphOptions> = {},
): Promise<T> {
  await using store = new SqliteStore<TraceRecord>({ path: join(root, 'cache', 'graph.db') })
  await using graph = new Graph({ files: new FileTable({ root }), store, ...options })
  return await work(graph)
}

const stored = () =>
  readdirSync(join(root, 'cache')).map(name => readFileSync(join(root, 'cache', name), 'latin1'))

describe('what a graph stores', () => {
  test('holds no value of an environment variable, and notices when one changes', async () => {
    const runs: string[] = []
    const ask = () =>
      withGraph(async graph => {
        const token = graph.query('token', context => context.env('MILLRACE_TOKEN'))
        const length = graph.query(
          'length',
          async context => {
            runs.push('length')
            // One that is not stored itself, whose result is the value.
            const value = await context.get(token, '')
            return value === undefined ? -1 : value.length
          },
          { version: '1' },
        )
        const direct = graph.query(
          'direct',
          context => {
            runs.push('direct')
            return context.env('MILLRACE_TOKEN') !== undefined
          },
          { version: '1' },
        )
        return [await graph.get(length, ''), await graph.get(direct, '')]
      })
    vi.stubEnv('MILLRACE_TOKEN', 'secret-4711')
    expect(await ask()).toEqual([11, true])
    expect(stored().some(text => text.includes('secret-4711'))).toBe(false)
    expect(await ask()).toEqual([11, true])
    expect(runs.splice(0)).toEqual(['length', 'direct'])
    vi.stubEnv('MILLRACE_TOKEN', 'other')
    expect(await ask()).toEqual([5, true])
    expect(runs.splice(0)).toEqual(['length', 'direct'])
    vi.stubEnv('MILLRACE_TOKEN', undefined)
    expect(await ask()).toEqual([-1, false])
  })

  test('another key for the hashes of variables makes results anew, never wrong', async () => {
    vi.stubEnv('MILLRACE_TOKEN', 'x')
    let runs = 0
    const ask = (environmentKey: string) =>
      withGraph(
        graph =>
          graph.get(
            graph.query(
              'set',
              context => {
                runs++
                return context.env('MILLRACE_TOKEN') !== undefined
              },
              { version: '1' },
            ),
            '',
          ),
        { environmentKey },
      )
    expect([await ask('one'), await ask('one'), await ask('two')]).toEqual([true, true, true])
    expect(runs).toBe(2)
  })

  test.each([
    ['a value that can be guessed can be found by trying', undefined, true],
    ['nothing is found by trying values under a key', 'key', false],
  ])('%s', async (_, environmentKey, found) => {
    vi.stubEnv('MILLRACE_PIN', '4711')
    let runs = 0
    const ask = () =>
      withGraph(
        graph => {
          const pin = graph.query('pin', context => context.env('MILLRACE_PIN'))
          const isSet = graph.query(
            'isSet',
            async context => {
              runs++
              return [await context.get(pin, ''), context.option('secret')].every(Boolean)
            },
            { version: '1' },
          )
          return graph.get(isSet, '')
        },
        { ...(environmentKey && { environmentKey }), options: { secret: '0815' } },
      )
    expect([await ask(), await ask()]).toEqual([true, true])
    expect(runs).toBe(1)
    for (const guess of ['4711', '0815']) {
      expect(stored().some(text => text.includes(fingerprintOf(guess)))).toBe(found)
    }
    vi.stubEnv('MILLRACE_PIN', '4712')
    await ask()
    expect(runs).toBe(2)
  })

  test('maps, sets, dates and circles come back as what they are', async () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    const value = {
      map: new Map([['a', new Set([1])]]),
      date: new Date(5),
      none: undefined,
      circle,
    }
    let runs = 0
    const ask = () =>
      withGraph(graph =>
        graph.get(
          graph.query(
            'rich',
            () => {
              runs++
              return value
            },
            { version: '1' },
          ),
          '',
        ),
      )
    await ask()
    expect(await ask()).toEqual(value)
    expect(runs).toBe(1)
  })

  test.each([
    ['a Map under JSON', () => new Map([['a', 1]]), 'not-preserved', jsonCodec],
    ['a Map within', () => ({ a: [new Map()] }), 'not-preserved', jsonCodec],
    ['an undefined under JSON', () => ({ a: undefined }), 'not-preserved', jsonCodec],
    ['a BigInt under JSON', () => 1n, 'not-encodable', jsonCodec],
    [
      'an instance of a class',
      () =>
        new (class Tree {
          kind = 1
        })(),
      'not-preserved',
      undefined,
    ],
    [
      'a subclass of Map',
      () => new (class Sums extends Map<string, number> {})([['a', 1]]),
      'not-preserved',
      undefined,
    ],
    [
      'a subclass of Array',
      () => [new (class List extends Array {})(3)],
      'not-preserved',
      undefined,
    ],
    ['a subclass of Set', () => new (class Names extends Set {})(), 'not-preserved', undefined],
    ['a subclass of Date', () => new (class Day extends Date {})(0), 'not-preserved', undefined],
    [
      'a subclass of RegExp',
      () => new (class Rule extends RegExp {})('a'),
      'not-preserved',
      undefined,
    ],
    [
      'a Map with a property',
      () => Object.assign(new Map(), { sum: 1 }),
      'not-preserved',
      undefined,
    ],
    [
      'a Date with a property',
      () => Object.assign(new Date(0), { zone: 1 }),
      'not-preserved',
      undefined,
    ],
    ['a property under a symbol', () => ({ [Symbol('a')]: 1 }), 'not-preserved', undefined],
    [
      'a RegExp in the middle of its text',
      () => Object.assign(/x/g, { lastIndex: 3 }),
      'not-preserved',
      undefined,
    ],
    ['a function', () => ({ run: () => 1 }), 'incomparable', undefined],
    ['an instance without properties', () => new URL('a:b'), 'incomparable', undefined],
  ])('%s is refused by an error that names the query', async (_, make, problem, codec) => {
    await withGraph(async graph => {
      const query = graph.query('lossy', (): unknown => make(), { version: '1' })
      await expect(graph.get(query, '')).rejects.toMatchObject({
        code: 'ERR_MILLRACE_RESULT',
        query: 'lossy',
        problem,
      })
    }, codec && { codec })
  })

  test('a lossy result of a query that is not stored is none of the codec’s business', async () => {
    await withGraph(
      async graph => {
        const query = graph.query('kept', () => new Map([['a', 1]]))
        expect(await graph.get(query, '')).toEqual(new Map([['a', 1]]))
      },
      { codec: jsonCodec },
    )
  })

  test('facts are held to the same', async () => {
    writeFileSync(join(root, 'a'), 'x')
    await using store = new SqliteStore<StoredResult>({ path: join(root, 'facts.db') })
    const files = new FileTable({ root })
    const extract = () => new Map([['a', 1]])
    for (let run = 0; run < 2; run++) {
      await using facts = new Facts({ files, store, id: 'map', extract })
      expect((await facts.get('a')).value).toEqual(new Map([['a', 1]]))
      expect(facts.stats().extractions).toBe(1 - run)
    }
    await using json = new Facts({ files, store, id: 'json', extract, codec: jsonCodec })
    await expect(json.get('a')).rejects.toMatchObject({ problem: 'not-preserved', query: 'json' })
  })

  test('a value that its user has changed is not stored once more with a part of it', async () => {
    writeFileSync(join(root, 'a'), 'text')
    const version = '1'
    const lines = (graph: Graph) => {
      const whole = graph.query(
        'whole',
        async (context, path) => [`${(await context.read(path)).bytes}`],
        { version },
      )
      const count = graph.select(whole, 'count', ({ length }) => length, { version })
      return { all: () => graph.get(whole, 'a'), count: () => graph.get(count, 'a') }
    }
    await withGraph(graph => lines(graph).all())
    await withGraph(async graph => {
      const { all, count } = lines(graph)
      ;(await all())[0] = 'not what was computed'
      expect(await count()).toBe(1)
    })
    expect(await withGraph(graph => lines(graph).all())).toEqual(['text'])
    // The same where nobody changes it, and the part is found.
    await withGraph(graph => lines(graph).count())
    await withGraph(async graph => {
      expect(await lines(graph).count()).toBe(1)
      expect(graph.stats().computed).toBe(0)
    })
  })

  test('damaged values are computed anew', async () => {
    writeFileSync(join(root, 'a'), 'x')
    let runs = 0
    const ask = (graph: Graph) =>
      graph.get(
        graph.query(
          'text',
          async (context, path) => {
            runs++
            return (await context.read(path)).bytes.toString()
          },
          { version: '1' },
        ),
        'a',
      )
    await withGraph(ask)
    await using store = new SqliteStore<TraceRecord>({ path: join(root, 'cache', 'graph.db') })
    for await (const key of store.keys()) {
      const { value } = (await store.get(key))!
      await store.set(key, { ...value, value: 'p!!damaged' })
    }
    expect(await withGraph(ask)).toBe('x')
    expect(runs).toBe(2)
  })

  test('values that went for lack of room come back from the store, and cut off all the same', async () => {
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(root, name), name)
    const runs: string[] = []
    await withGraph(
      async graph => {
        const text = graph.query(
          'text',
          async (context, path) => {
            runs.push(path)
            return (await context.read(path)).bytes.toString().trim()
          },
          { version: '1' },
        )
        const all = graph.query('all', async context => {
          runs.push('all')
          const parts = await Promise.all(['a', 'b', 'c', 'd'].map(path => context.get(text, path)))
          return parts.join('')
        })
        expect(await graph.get(all, '')).toBe('abcd')
        await graph.flush()
        runs.length = 0
        writeFileSync(join(root, 'a'), 'a ')
        expect(await graph.get(all, '')).toBe('abcd')
        // Its value may have had to go, but never those of the files, of which the traces are known.
        expect(runs.filter(run => run !== 'all')).toEqual(['a'])
      },
      { maxResults: 1 },
    )
  })
})
