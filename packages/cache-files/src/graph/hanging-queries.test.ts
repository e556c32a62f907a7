import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { MemoryStore } from '@millrace/cache-core/memory'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query } from './query.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let root: string
let clock: VirtualClock
let graph: Graph
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-hang-'))
  clock = new VirtualClock()
  graph = new Graph({ files: new FileTable({ root }), clock })
})
afterEach(async () => {
  await graph.close()
  rmSync(root, { recursive: true })
})

const never = () => new Promise<never>(() => undefined)
const until = async (holds: () => boolean) => {
  while (!holds()) await turn()
}

describe('a query that never returns', () => {
  test('stops nobody but those who wait for it', async () => {
    const bad = graph.query('bad', never)
    const fine = graph.query('fine', (_, key) => key)
    const hung = Array.from({ length: 10 }, (_, index) => graph.get(bad, `${index}`))
    for (const call of hung) call.catch(() => undefined)
    await until(() => graph.stats().computed === 10)
    expect(await graph.get(fine, 'x')).toBe('x')
    for (let index = 0; index < 10; index++) {
      graph.get(bad, `late ${index}`).catch(() => undefined)
      await turn()
    }
    let answer = ''
    void graph.get(fine, 'y').then(value => {
      answer = value
    })
    await until(() => {
      clock.advance(50)
      return answer === 'y'
    })
  })

  test('that asks without end for what is known is ended by its timeout all the same', async () => {
    writeFileSync(join(root, 'a'), 'x')
    const fine = graph.query('fine', (_, key) => key)
    let asked = 0
    const endless = graph.query('endless', async context => {
      for (;;) {
        await context.get(fine, 'x')
        await context.read('a')
        asked++
      }
    })
    const answer = expect(graph.get(endless, '')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_QUERY_TIMEOUT',
    })
    await until(() => asked > 1_000)
    clock.advance(60_000)
    await answer
    expect(await graph.get(fine, 'y')).toBe('y')
  })

  test('asked for in the same turn as another one lets that one be answered', async () => {
    const bad = graph.query('bad', never)
    const fine = graph.query('fine', (_, key) => key)
    graph.get(bad, '').catch(() => undefined)
    const answer = graph.get(fine, 'x')
    await until(() => graph.stats().computed === 2)
    await turn()
    clock.advance(5)
    expect(await answer).toBe('x')
  })

  test('ends by its timeout, also where others wait for it, with the time they wait not counted', async () => {
    let aborted: unknown
    const slow = graph.query(
      'slow',
      async ({ signal }) => {
        signal.addEventListener('abort', () => {
          aborted = signal.reason
        })
        return never()
      },
      { timeout: 1_000 },
    )
    const outer = graph.query('outer', async context => context.get(slow, ''), { timeout: 10 })
    const answer = graph.get(outer, '')
    answer.catch(() => undefined)
    await until(() => graph.stats().computed === 2)
    clock.advance(999)
    await turn()
    expect(aborted).toBeUndefined()
    clock.advance(1)
    await expect(answer).rejects.toMatchObject({
      code: 'ERR_MILLRACE_QUERY_TIMEOUT',
      query: 'slow',
      timeout: 1_000,
      message: 'The query slow took longer than 1000 ms',
    })
    expect(aborted).toMatchObject({ name: 'QueryTimeoutError' })
  })

  test('has the time before and after it waits counted', async () => {
    const gate = Promise.withResolvers<string>()
    const inner = graph.query('inner', () => gate.promise, { timeout: Infinity })
    const outer = graph.query(
      'outer',
      async context => {
        await context.get(inner, '')
        return never()
      },
      { timeout: 100 },
    )
    const answer = graph.get(outer, '')
    answer.catch(() => undefined)
    await until(() => graph.stats().computed === 2)
    clock.advance(5_000)
    gate.resolve('')
    for (let i = 0; i < 10; i++) await turn()
    clock.advance(99)
    await turn()
    expect(graph.stats().failures).toBe(0)
    clock.advance(1)
    await expect(answer).rejects.toMatchObject({
      code: 'ERR_MILLRACE_QUERY_TIMEOUT',
      query: 'outer',
    })
  })

  test('is aborted when the last of those who wait leaves, with all that it alone asked for', async () => {
    const signals: Record<string, AbortSignal> = {}
    const inner = graph.query('inner', (context, key) => {
      signals[key] = context.signal
      return never()
    })
    const outer = graph.query('outer', async (context, key) => {
      signals[`outer ${key}`] = context.signal
      return context.get(inner, 'shared')
    })
    const [one, two] = [new AbortController(), new AbortController()]
    const first = graph.get(outer, 'a', { signal: one.signal })
    const second = graph.get(outer, 'b', { signal: two.signal })
    await until(() => graph.stats().computed === 3)
    one.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await turn()
    const aborted = Object.entries(signals).map(([name, signal]) => [name, signal.aborted])
    expect(Object.fromEntries(aborted)).toEqual({
      'outer a': true,
      'outer b': false,
      shared: false,
    })
    two.abort(new Error('enough too'))
    await expect(second).rejects.toThrow('enough too')
    expect(Object.values(signals).every(({ aborted }) => aborted)).toBe(true)
  })

  test('may be asked for again after it was given up', async () => {
    let hangs = true
    const moody = graph.query('moody', (_, key) => (hangs ? never() : key))
    const controller = new AbortController()
    const call = graph.get(moody, 'x', { signal: controller.signal })
    await until(() => graph.stats().computed === 1)
    controller.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    hangs = false
    expect(await graph.get(moody, 'x')).toBe('x')
  })

  test('uses its context in vain after it was given up', async () => {
    const gate = Promise.withResolvers<void>()
    const late = Promise.withResolvers<unknown>()
    const query = graph.query('late', async context => {
      await gate.promise
      try {
        context.kind('a')
      } catch (error) {
        late.resolve(error)
      }
    })
    const controller = new AbortController()
    const call = graph.get(query, '', { signal: controller.signal })
    await until(() => graph.stats().computed === 1)
    controller.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    gate.resolve()
    expect(await late.promise).toMatchObject({ message: expect.stringContaining('No call waits') })
  })

  test('is waited for in one look only: a second call joins the computation', async () => {
    writeFileSync(join(root, 'a'), 'x')
    const gate = Promise.withResolvers<void>()
    const slow = graph.query('slow', async (context, path) => {
      const { bytes } = await context.read(path)
      await gate.promise
      return bytes.toString()
    })
    const first = graph.get(slow, 'a')
    await until(() => graph.stats().computed === 1)
    const second = graph.get(slow, 'a')
    for (let i = 0; i < 5; i++) await turn()
    gate.resolve()
    expect(await Promise.all([first, second])).toEqual(['x', 'x'])
    expect(graph.stats().computed).toBe(1)
  })

  test('two looks that wait for each other’s computations get their answers all the same', async () => {
    // Which of two asks the other changes between the looks, so neither look has a circle.
    const gate = Promise.withResolvers<void>()
    graph.setOption('asks', 'a')
    const pair: Query<string, string> = graph.query<string>('pair', async (context, key) => {
      const asks = context.option('asks')
      if (asks === 'a') await gate.promise
      return key === asks ? `${key}>${await context.get(pair, key === 'a' ? 'b' : 'a')}` : key
    })
    const first = graph.get(pair, 'a')
    await until(() => graph.stats().computed === 1)
    graph.setOption('asks', 'b')
    const second = graph.get(pair, 'b')
    for (let i = 0; i < 5; i++) await turn()
    gate.resolve()
    // As what it asked for is no longer so, the first look is taken anew.
    expect(await first).toBe('a')
    expect(await second).toBe('b>a')
  })

  test('is ended by close', async () => {
    const bad = graph.query('bad', never)
    const call = graph.get(bad, '')
    call.catch(() => undefined)
    await until(() => graph.stats().computed === 1)
    await graph.close()
    await expect(call).rejects.toMatchObject({ code: 'ERR_MILLRACE_GRAPH_CLOSED' })
    await expect(graph.get(bad, '')).rejects.toMatchObject({ code: 'ERR_MILLRACE_GRAPH_CLOSED' })
  })
})

describe('graph.get within a query', () => {
  test('is refused by an error that names both, before and after it waits', async () => {
    const fine = graph.query('fine', (_, key) => key)
    const bad = graph.query('bad', async (_, key): Promise<string> => {
      if (key === 'late') await turn()
      return graph.get(fine, key)
    })
    for (const key of ['early', 'late']) {
      await expect(graph.get(bad, key)).rejects.toMatchObject({
        code: 'ERR_MILLRACE_NESTED_GET',
        query: 'bad',
        asked: 'fine',
        message: "The query bad asked the graph for fine; ask the query's context instead",
      })
    }
    expect(await graph.get(fine, 'x')).toBe('x')
  })

  test('is fine once the query has ended, and for another graph', async () => {
    const other = new Graph({ files: new FileTable({ root }) })
    const fine = graph.query('fine', (_, key) => key)
    const there = other.query('there', (_, key) => `there ${key}`)
    let later: Promise<string> | undefined
    const starts = graph.query('starts', async (context, key) => {
      context.untracked()
      later = turn().then(() => graph.get(fine, key))
      return other.get(there, key)
    })
    expect(await graph.get(starts, 'x')).toBe('there x')
    expect(await later).toBe('x')
    await other.close()
  })
})

describe('a store that never answers', () => {
  test('costs its timeout once, is told once, and everything is computed', async () => {
    const store = new MemoryStore<TraceRecord>()
    store.get = never
    store.setMany = never
    const told: unknown[] = []
    const kept = new Graph({
      files: new FileTable({ root }),
      store,
      clock,
      storeTimeout: 100,
      onStoreError: error => told.push(error),
    })
    const query = kept.query('query', (_, key) => key, { version: '1' })
    const first = kept.get(query, 'a')
    await turn()
    clock.advance(100)
    expect(await first).toBe('a')
    expect(await kept.get(query, 'b')).toBe('b')
    await kept.close()
    expect(told).toMatchObject([{ code: 'ERR_MILLRACE_FILES_STORE_TIMEOUT', timeout: 100 }])
    await store.close()
  })
})
