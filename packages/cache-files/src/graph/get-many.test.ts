import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ContextEndedError, CycleError, QueryTimeoutError } from '../errors.ts'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query, QueryContext } from './query.ts'

let folder: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-many-')))
})
afterEach(() => rmSync(folder, { recursive: true }))

const keys = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`)
const graphOf = (clock?: VirtualClock): Graph =>
  new Graph({ files: new FileTable({ root: folder }), clock })

describe('many results of a query at once', () => {
  test('come in the order of the keys, one that is asked for twice included, and each is a dependency', async () => {
    for (const key of keys(200)) writeFileSync(join(folder, key), key)
    await using graph = graphOf()
    const text = graph.query('text', async (context, key) =>
      (await context.read(key)).bytes.toString(),
    )
    const asked = [...keys(200).reverse(), '7']
    const all = graph.query('all', async context => (await context.getMany(text, asked)).join())
    expect(await graph.get(all, '')).toBe(asked.join())
    for (const edited of [0, 63, 64, 150, 199]) {
      const { computed } = graph.stats()
      writeFileSync(join(folder, `${edited}`), 'new text')
      const parts = (await graph.get(all, '')).split(',')
      expect(parts[199 - edited]).toBe('new text')
      expect(graph.stats().computed - computed).toBe(2)
    }
    // Of none there is nothing to ask.
    const none = graph.query('none', context => context.getMany(text, []))
    expect(await graph.get(none, '')).toEqual([])
  })

  test('are computed 64 at once, and the next as soon as one is there', async () => {
    await using graph = graphOf()
    const running = new Map<string, () => void>()
    let most = 0
    const slow = graph.query('slow', async (_, key) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      running.set(key, resolve)
      most = Math.max(most, running.size)
      await promise
      return key
    })
    const all = graph.query('all', context => context.getMany(slow, keys(100)))
    const answer = graph.get(all, '')
    for (let left = 100; left > 0; left--) {
      while (running.size < Math.min(left, 64)) await turn()
      // The first stays to the end, and holds nobody up.
      const [key, resolve] = [...running].at(-1)!
      running.delete(key)
      resolve()
    }
    expect(await answer).toEqual(keys(100))
    expect(most).toBe(64)
  })

  test('fail with the first failure, after which no further key is asked for; what failed is tried anew', async () => {
    await using graph = graphOf()
    let fails = true
    let asked = 0
    const odd = graph.query('odd', async (_, key) => {
      asked++
      await turn()
      if (fails && key === '70') throw new RangeError('70')
      return key
    })
    const all = graph.query('all', context => context.getMany(odd, keys(5_000)))
    await expect(graph.get(all, '')).rejects.toThrow('70')
    expect(asked).toBeLessThan(300)
    fails = false
    expect(await graph.get(all, '')).toEqual(keys(5_000))
  })

  test('one that never comes is told by its timeout, and one that asks for its asker by a CycleError', async () => {
    const clock = new VirtualClock()
    await using graph = graphOf(clock)
    const hanging: Query<string, string> = graph.query(
      'hanging',
      (_, key) => (key === '3' ? new Promise<string>(() => undefined) : key),
      { timeout: 1_000 },
    )
    const all = graph.query('all', context => context.getMany(hanging, keys(10)))
    const answer = expect(graph.get(all, '')).rejects.toThrow(QueryTimeoutError)
    await expect.poll(() => graph.stats().computed).toBe(11)
    await turn()
    clock.advance(1_000)
    await answer
    const loops: Query<string, string[]> = graph.query('loops', (context: QueryContext, key) =>
      context.getMany(loops as unknown as Query<string, string>, [key]),
    )
    await expect(graph.get(loops, 'a')).rejects.toThrow(CycleError)
  })

  test('what is no list, no query of the graph or no key is refused, and so is a context whose query is over', async () => {
    await using graph = graphOf()
    const one = graph.query('one', (_, key) => key)
    const asking = (ask: (context: QueryContext) => Promise<unknown>) => {
      const name = `asking ${Math.random()}`
      return expect(graph.get(graph.query(name, ask), '')).rejects
    }
    await asking(context => context.getMany(one, 'abc' as never)).toThrow('`keys`')
    await asking(context => context.getMany(one, [1] as never)).toThrow('`key`')
    await asking(context => context.getMany({} as never, ['a'])).toThrow('`query`')
    let left: QueryContext | undefined
    await graph.get(
      graph.query('leaves', context => {
        left = context
      }),
      '',
    )
    await expect(left!.getMany(one, ['a'])).rejects.toThrow(ContextEndedError)
  })
})

test('of a flood of calls a few run at once, and none that hangs keeps others waiting', async () => {
  await using graph = graphOf()
  let running = 0
  let most = 0
  const quick = graph.query('quick', async (_, key) => {
    most = Math.max(most, ++running)
    await undefined
    running--
    return key
  })
  await Promise.all(keys(2_000).map(key => graph.get(quick, key)))
  expect(most).toBeLessThanOrEqual(64)
  const ended = new AbortController()
  const hanging = graph.query('hanging', () => new Promise<never>(() => undefined))
  const stuck = keys(500).map(key => graph.get(hanging, key, { signal: ended.signal }))
  expect(await graph.get(quick, 'another')).toBe('another')
  ended.abort()
  for (const call of stuck) await expect(call).rejects.toThrow('abort')
  expect(await graph.get(quick, 'after them')).toBe('after them')
})
