import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query } from './query.ts'

let root: string
let clock: VirtualClock
let g: Graph
let h: Graph
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-nested-'))
  clock = new VirtualClock()
  const files = new FileTable({ root })
  g = new Graph({ files, clock, timeout: 1000 })
  h = new Graph({ files, clock, timeout: 1000 })
})
afterEach(async () => {
  await g.close()
  await h.close()
  rmSync(root, { recursive: true })
})

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await turn()
}
const turns = async (): Promise<void> => {
  for (let count = 0; count < 20; count++) await turn()
}
const codes = async (calls: Promise<unknown>[]): Promise<unknown[]> =>
  (await Promise.allSettled(calls)).map(answer =>
    answer.status === 'rejected' ? answer.reason.code : answer.value,
  )

describe('a query that comes back to its graph through another one', () => {
  test('gets an error that names both, at once', async () => {
    const there: Query<string, string> = h.query('there', (_, key) => g.get(here, key))
    const here: Query<string, string> = g.query('here', (_, key) => h.get(there, key))
    const nested = { code: 'ERR_MILLRACE_NESTED_GET' }
    await expect(g.get(here, '')).rejects.toMatchObject({ ...nested, query: 'here', asked: 'here' })
    await expect(h.get(there, '')).rejects.toMatchObject({
      ...nested,
      query: 'there',
      asked: 'there',
    })
    expect([g.stats().computed, h.stats().computed]).toEqual([2, 2])
  })

  test('for another result, after a while and through its context, gets it as well', async () => {
    const fine = g.query('fine', (_, key) => key)
    const deep = h.query('deep', async (_, key) => {
      await turn()
      return g.get(fine, key)
    })
    const there = h.query('there', (context, key) => context.get(deep, key))
    const here = g.query('here', (_, key) => h.get(there, key))
    const above = g.query('above', (context, key) => context.get(here, key))
    await expect(g.get(above, 'x')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_NESTED_GET',
      query: 'here',
      asked: 'fine',
    })
    // Nothing of its own graph waits for it here.
    expect(await h.get(there, 'x')).toBe('x')
  })

  test('gets an error from whichever side callers enter', async () => {
    const there: Query<string, string> = h.query('there', async (_, key) => {
      await turn()
      return g.get(here, key)
    })
    const here: Query<string, string> = g.query('here', async (_, key) => {
      await turn()
      return h.get(there, key)
    })
    const ended = await codes([g.get(here, ''), h.get(there, ''), g.get(here, '')])
    for (const code of ended) {
      expect(['ERR_MILLRACE_NESTED_GET', 'ERR_MILLRACE_CYCLE']).toContain(code)
    }
  })
})

describe('what a query began in another graph', () => {
  test.each(['leaves', 'is told of the time-out'])(
    'ends when its caller %s, and nothing is begun after it',
    async how => {
      const ended: unknown[] = []
      const hangs = h.query('hangs', ({ signal }) => {
        const { promise, resolve } = Promise.withResolvers<string>()
        signal.addEventListener('abort', () => resolve('aborted'))
        return promise.then(seen => ended.push(seen))
      })
      const patient = h.query('patient', (context, key) => context.get(hangs, key), {
        timeout: Infinity,
      })
      const stubborn = g.query('stubborn', async (_, key) => {
        for (let attempt = 0; attempt < 3; attempt++) {
          await h.get(patient, key).catch(error => ended.push(error.code))
        }
      })
      const leaving = new AbortController()
      const call = g.get(stubborn, '', { signal: leaving.signal })
      const failed = expect(call).rejects.toThrow()
      await until(() => h.stats().computed === 2)
      if (how === 'leaves') leaving.abort(new Error('left'))
      else clock.advance(1000)
      await failed
      await until(() => ended.length === 4)
      await turns()
      expect(ended).toContain('aborted')
      expect(ended.filter(code => code === 'ERR_MILLRACE_CONTEXT_ENDED')).toHaveLength(2)
      expect([g.stats().computed, h.stats().computed]).toEqual([1, 2])
    },
  )

  test('and does not wait for ends with it, without a rejection that nobody handles', async () => {
    let aborted = false
    const hangs = h.query('hangs', ({ signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise<never>(() => undefined)
    })
    const careless = g.query('careless', () => {
      void h.get(hangs, '')
      return new Promise<never>(() => undefined)
    })
    const leaving = new AbortController()
    const call = g.get(careless, '', { signal: leaving.signal })
    const failed = expect(call).rejects.toThrow('left')
    await until(() => h.stats().computed === 1)
    leaving.abort(new Error('left'))
    await failed
    expect(aborted).toBe(true)
    await turns()
  })

  test('through a queue of the user ends with its callers, where it is given their signal', async () => {
    const jobs: (() => void)[] = []
    let arrived = (): void => undefined
    const work = (async () => {
      // Outside of every query, so that none can be told from its calls.
      for (;;) {
        await new Promise<void>(resolve => {
          arrived = resolve
        })
        for (const job of jobs.splice(0)) job()
      }
    })()
    void work
    const inQueue = <T>(job: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        jobs.push(() => job().then(resolve, reject))
        arrived()
      })
    const itself: Query<string, string> = g.query('itself', ({ signal }, key) =>
      inQueue(() => g.get(itself, key, { signal })),
    )
    const call = g.get(itself, '')
    const failed = expect(call).rejects.toMatchObject({ code: 'ERR_MILLRACE_QUERY_TIMEOUT' })
    await until(() => g.stats().revisions === 2)
    await turns()
    clock.advance(1000)
    await failed
    for (let round = 0; round < 5; round++) {
      clock.advance(1000)
      await turns()
    }
    expect(g.stats().computed).toBe(1)
  })
})

test('queries of three graphs that ask each other at random get their answers or are told, and none hangs', async () => {
  const GRAPHS = 3
  const shape = fc.array(fc.array(fc.nat(8), { maxLength: 3 }), { minLength: 9, maxLength: 9 })
  await fc.assert(
    fc.asyncProperty(
      shape,
      fc.array(fc.nat(8), { minLength: 1, maxLength: 5 }),
      async (edges, callers) => {
        const files = new FileTable({ root })
        const graphs = Array.from({ length: GRAPHS }, () => new Graph({ files, timeout: Infinity }))
        const of = (node: number): number => node % GRAPHS
        const queries: Query<string, string>[] = graphs.map((_, own) =>
          graphs[own]!.query('node', async (context, key): Promise<string> => {
            const node = Number(key)
            if (node % 2 === 0) await turn()
            const parts = edges[node]!.map(next =>
              of(next) === own
                ? context.get(queries[own]!, `${next}`)
                : graphs[of(next)]!.get(queries[of(next)]!, `${next}`),
            )
            return `${node}(${(await Promise.all(parts)).join()})`
          }),
        )
        /** What a query comes to; `undefined` where it comes back to itself. */
        const whole = (node: number, way: readonly number[]): string | undefined => {
          if (way.includes(node)) return undefined
          const parts = edges[node]!.map(next => whole(next, [...way, node]))
          return parts.includes(undefined) ? undefined : `${node}(${parts.join()})`
        }
        /** What it comes to by itself; `undefined` where it comes back to itself or to a graph that it left. */
        const expected = (node: number, way: readonly number[]): string | undefined => {
          const before = way.at(-1)
          if (way.includes(node)) return undefined
          if (before !== undefined && of(before) !== of(node)) {
            if (way.some(one => of(one) === of(node))) return undefined
          }
          const parts = edges[node]!.map(next => expected(next, [...way, node]))
          return parts.includes(undefined) ? undefined : `${node}(${parts.join()})`
        }
        const ask = (node: number) => graphs[of(node)]!.get(queries[of(node)]!, `${node}`)
        const told = ['ERR_MILLRACE_NESTED_GET', 'ERR_MILLRACE_CYCLE']
        for (const [index, answer] of (await codes(callers.map(ask))).entries()) {
          expect([...told, whole(callers[index]!, [])]).toContain(answer)
        }
        // One caller alone is never told of what it would not do by itself.
        for (const node of callers) {
          const [answer] = await codes([ask(node)])
          const value = expected(node, [])
          // Nobody is asked for what is there already.
          if (value === undefined) expect([...told, whole(node, [])]).toContain(answer)
          else expect(answer).toBe(value)
        }
        for (const graph of graphs) await graph.close()
      },
    ),
    { numRuns: runs(100) },
  )
})
