import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query, QueryContext } from './query.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let root: string
let graph: Graph
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-odd-queries-'))
  graph = new Graph({ files: new FileTable({ root }) })
})
afterEach(async () => {
  await graph.close()
  rmSync(root, { recursive: true })
})

const write = (name: string, text: string) => writeFileSync(join(root, name), text)
const textOf = async (context: QueryContext, path: string) =>
  (await context.read(path)).bytes.toString()

describe('dependencies are told apart', () => {
  test('of queries whose names and keys look alike together', async () => {
    write('one', '1')
    write('two', '2')
    const short = graph.query('a', context => textOf(context, 'one'))
    const long = graph.query('a(b', context => textOf(context, 'two'))
    const both = graph.query(
      'both',
      async context => (await context.get(short, 'b(c')) + (await context.get(long, 'c')),
    )
    expect(await graph.get(both, '')).toBe('12')
    write('one', '3')
    expect(await graph.get(both, '')).toBe('32')
  })

  test('of inputs that are called like queries', async () => {
    write('one', '1')
    const named = graph.query('env:A', context => textOf(context, 'one'))
    const both = graph.query(
      'both',
      async context => (await context.get(named, 'x')) + String(context.env('A(x')),
    )
    expect(await graph.get(both, '')).toBe('1undefined')
    write('one', '2')
    expect(await graph.get(both, '')).toBe('2undefined')
  })
})

describe('what a query throws reaches its caller as it is, and is not kept', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['a function', () => 1],
  ])('%s, before and after it waits, and through another query', async (_, thrown) => {
    let runs = 0
    const fine = graph.query('fine', () => 1)
    const bad = graph.query('bad', async (context, key) => {
      runs++
      if (key === 'waits') await context.get(fine, '')
      throw thrown
    })
    const sync = graph.query('sync', () => {
      throw thrown
    })
    const through = graph.query('through', context => context.get(bad, 'waits'))
    for (const call of [
      () => graph.get(bad, ''),
      () => graph.get(bad, 'waits'),
      () => graph.get(sync, ''),
      () => graph.get(through, ''),
    ]) {
      const [outcome] = await Promise.allSettled([call()])
      expect(outcome).toEqual({ status: 'rejected', reason: thrown })
    }
    expect(runs).toBe(3)
    await graph.get(bad, '').catch(() => undefined)
    expect(runs).toBe(4)
  })

  test('what only looks like a promise', async () => {
    const thenable = graph.query('thenable', () => {
      // biome-ignore lint/suspicious/noThenProperty: that is what is tried
      const odd = { then: (resolve: (value: number) => void) => resolve(3) }
      return odd as unknown as Promise<number>
    })
    const throwing = graph.query('throwing', () => {
      const odd = {
        // biome-ignore lint/suspicious/noThenProperty: that is what is tried
        get then(): never {
          throw new Error('no then')
        },
      }
      return odd as unknown as Promise<number>
    })
    expect(await graph.get(thenable, '')).toBe(3)
    await expect(graph.get(throwing, '')).rejects.toThrow('no then')
  })
})

describe('a query that returns what has a state of its own is refused', () => {
  test.each<[string, () => unknown]>([
    [
      'a generator',
      function* () {
        yield 1
      },
    ],
    [
      'an async generator',
      async function* () {
        yield 1
      },
    ],
    ['an iterator within', () => ({ names: new Set(['a']).values() })],
    ['a promise within', () => ({ later: Promise.resolve(1) })],
    ['a weak reference', () => [new WeakMap()]],
    ['a stream', () => new ReadableStream()],
  ])('%s, stored or not, also by those who ask for it', async (_, make) => {
    await using storing = new Graph({
      files: new FileTable({ root }),
      store: new MemoryStore<TraceRecord>(),
    })
    for (const [each, version] of [
      [graph, undefined],
      [storing, '1'],
    ] as const) {
      const stateful = each.query('stateful', make, { version })
      const through = each.query('through', context => context.get(stateful, ''), { version })
      for (const query of [stateful, through]) {
        await expect(each.get(query, '')).rejects.toMatchObject({
          code: 'ERR_MILLRACE_RESULT',
          query: 'stateful',
          problem: 'incomparable',
        })
      }
    }
  })
})

test('traces that two processes kept of two states, and that lead to each other, answer for neither', async () => {
  /** What a process that keeps its results says of a file: the files that it leads to, by the name of the next one in each. */
  const asked = async (store: MemoryStore<TraceRecord>, key: string): Promise<unknown> => {
    await using process = new Graph({ files: new FileTable({ root }), store })
    const reach: Query<string, string> = process.query(
      'reach',
      async (context, path): Promise<string> => {
        const next = await textOf(context, path)
        return next === '' ? path : `${path} ${await context.get(reach, next)}`
      },
      { version: '1' },
    )
    return await process.get(reach, key).catch(({ code }) => code)
  }
  const state = (one: string, two: string) => {
    write('one', one)
    write('two', two)
  }
  const keptAs = (key: string) => JSON.stringify(['graph', 'reach', '1', key])
  const [first, second] = [new MemoryStore<TraceRecord>(), new MemoryStore<TraceRecord>()]
  state('two', '')
  expect(await asked(first, 'one')).toBe('one two')
  state('', 'one')
  expect(await asked(second, 'two')).toBe('two one')
  const crossed = async () => {
    const both = new MemoryStore<TraceRecord>()
    const one = await first.get(keptAs('one'))
    const two = await second.get(keptAs('two'))
    await both.set(keptAs('one'), one!.value)
    await both.set(keptAs('two'), two!.value)
    return both
  }
  for (const [one, two, expected] of [
    ['', 'one', ['one', 'two one']],
    ['two', '', ['one two', 'two']],
    ['two', 'one', ['ERR_MILLRACE_CYCLE', 'ERR_MILLRACE_CYCLE']],
  ] as const) {
    state(one, two)
    expect(await asked(await crossed(), 'one')).toBe(expected[0])
    expect(await asked(await crossed(), 'two')).toBe(expected[1])
  }
})

test('a graph that is closed with work under way ends its calls, and answers no more', async () => {
  const store = new MemoryStore<TraceRecord>()
  const closing = new Graph({ files: new FileTable({ root }), store })
  const gate = Promise.withResolvers<number>()
  const begun = Promise.withResolvers<void>()
  const slow = closing.query(
    'slow',
    () => {
      begun.resolve()
      return gate.promise
    },
    { version: '1' },
  )
  const call = closing.get(slow, '')
  call.catch(() => undefined)
  await begun.promise
  await Promise.all([closing.close(), closing.close()])
  const closed = { code: 'ERR_MILLRACE_GRAPH_CLOSED' }
  await expect(call).rejects.toMatchObject(closed)
  gate.resolve(1)
  await gate.promise
  await expect(closing.get(slow, '')).rejects.toMatchObject(closed)
  await closing.close()
  await closing.flush()
  expect(closing.stats()).toMatchObject({ failures: 0, storeFailures: 0 })
  expect(await store.getMany(['x'])).toEqual([undefined])
  await store.close()
})

test('a value that was changed into one that cannot be compared is found, and made anew', async () => {
  const shared = graph.query('shared', () => ({ list: [1] as unknown[] }))
  const value = await graph.get(shared, '')
  value.list.push(() => 1)
  expect([...graph.changedValues()]).toEqual([{ query: 'shared', key: '' }])
  expect(graph.forgetChangedValues()).toBe(1)
  expect(await graph.get(shared, '')).toEqual({ list: [1] })
})

test('listeners that throw or reject fail nothing', async () => {
  for (const onStoreError of [
    () => {
      throw new Error('of the listener')
    },
    () => Promise.reject(new Error('of the listener')),
  ]) {
    const store = new MemoryStore<TraceRecord>()
    await store.close()
    await using told = new Graph({ files: new FileTable({ root }), store, onStoreError })
    const query = told.query('q', () => 1, { version: '1' })
    expect(await told.get(query, '')).toBe(1)
    await told.flush()
    expect(told.stats().storeFailures).toBeGreaterThan(0)
  }
})
