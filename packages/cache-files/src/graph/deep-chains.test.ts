import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { GraphClosedError, QueryTimeoutError } from '../errors.ts'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query } from './query.ts'

let folder: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-chain-')))
})
afterEach(() => rmSync(folder, { recursive: true }))

const DEEP = 10_000

/** Queries each of which waits for the next one, and the last for what `end` gives. */
function chainIn(graph: Graph, end: () => Promise<string> | string): Query<string, string> {
  const chain: Query<string, string> = graph.query('chain', (context, key) =>
    Number(key) < DEEP ? context.get(chain, `${Number(key) + 1}`) : end(),
  )
  return chain
}
const never = (): Promise<string> => new Promise(() => undefined)

test('a chain of queries that is deeper than the stack ends when its caller leaves, and when the graph closes', async () => {
  const files = new FileTable({ root: folder })
  await using graph = new Graph({ files })
  const chain = chainIn(graph, never)
  const leaving = new AbortController()
  const left = graph.get(chain, '0', { signal: leaving.signal })
  left.catch(() => undefined)
  await vi.waitUntil(() => graph.stats().computed > DEEP, { timeout: 60_000 })
  leaving.abort()
  await expect(left).rejects.toThrow('abort')
  const closed = graph.get(chain, '0')
  closed.catch(() => undefined)
  await vi.waitUntil(() => graph.stats().computed > 2 * DEEP, { timeout: 60_000 })
  await graph.close()
  await expect(closed).rejects.toThrow(GraphClosedError)
})

test('a chain of queries that is deeper than the stack fails and answers as a short one does', async () => {
  const files = new FileTable({ root: folder })
  await using graph = new Graph({ files, timeout: 60_000 })
  let answer: () => Promise<string> | string = () => {
    throw new QueryTimeoutError('end', 1)
  }
  const chain = chainIn(graph, () => answer())
  await expect(graph.get(chain, '0')).rejects.toThrow('end')
  answer = () => 'the end'
  expect(await graph.get(chain, '0')).toBe('the end')
})

test('a process that waits for what never comes is told, and does not end before', () => {
  const program = join(import.meta.dirname, 'hung-process.fixture.ts')
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--conditions=millrace-source', program],
    { encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  expect(stdout.trim().split('\n')).toEqual([
    'ERR_MILLRACE_PARSE_TIMEOUT',
    'ERR_MILLRACE_PARSE_TIMEOUT',
    'ERR_MILLRACE_QUERY_TIMEOUT',
    'done',
    'ERR_MILLRACE_QUERY_TIMEOUT',
    'left',
    'done',
    'done',
  ])
  expect(status).toBe(0)
})
