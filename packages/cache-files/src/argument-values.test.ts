import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Facts } from './facts/facts.ts'
import { Graph } from './graph/graph.ts'
import { ParseCache } from './parse/parse-cache.ts'
import { ParsePool } from './parse/parse-pool.ts'
import type { StoredResult } from './persist/stored-result.ts'
import { FileTable } from './table/file-table.ts'
import { parserId } from './value/result-key.ts'
import { warm } from './warm/warm.ts'
import { changedByGit, changedFiles, dependencyOrder } from './warm/warm-orders.ts'
import { Watcher } from './watch/watcher.ts'
import { Workspace } from './workspace/workspace.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-values-'))
  writeFileSync(join(root, 'a'), 'x')
})
afterAll(() => rmSync(root, { recursive: true }))

/** What is wrong on purpose, as a caller without types might pass it. */
const wrong = (value: unknown) => value as never
const table = () => new FileTable({ root })
const facts = (options: object = {}) =>
  new Facts({
    files: table(),
    id: 'size',
    store: new MemoryStore<StoredResult>(),
    extract: ({ bytes }) => bytes.length,
    ...options,
  })
const parses = (variant: unknown) =>
  new ParseCache({ files: table(), id: 'text', parse: text => text, variant: wrong(variant) })
const pool = (text: unknown, source: unknown) =>
  new ParsePool({ module: '/none.js' }).parse(wrong(text), wrong(source))
const graph = () => new Graph({ files: table() })
const noLoad = () => undefined
const ordered = (roots: unknown, of: unknown) => take(dependencyOrder(wrong(roots), wrong(of), 1))

/** Calls by the option or argument that is wrong in them. */
const calls: readonly [option: string, expected: string, call: () => unknown][] = [
  ['ignore[0]', 'a string', () => new Watcher({ files: table(), ignore: wrong([3]) })],
  ['ignore[1]', 'a string', () => new Watcher({ files: table(), ignore: ['a', ''] })],
  ['files.root', 'left out', () => new Workspace({ root, files: wrong({ root: '/etc' }) })],
  ['graph.store', 'left out', () => new Workspace({ root, graph: wrong({ store: {} }) })],
  ['graph.files', 'left out', () => new Workspace({ root, graph: wrong({ files: table() }) })],
  ['watch.files', 'left out', () => new Workspace({ root, watch: wrong({ files: table() }) })],
  [
    'options.files',
    'left out',
    () => new Workspace({ root }).parseCache(wrong({ files: table(), id: 'a', parse: noLoad })),
  ],
  [
    'options.store',
    'left out',
    () => new Workspace({ root }).facts(wrong({ store: {}, id: 'a', extract: noLoad })),
  ],
  [
    'dependenciesOf',
    'a function',
    () => new Workspace({ root }).warm(noLoad, { dependenciesOf: wrong(0) }),
  ],
  ['variant', 'a function that returns a string', () => parses(() => 3).get('a')],
  ['variant', 'a function that returns a string', () => facts({ variant: () => null }).get('a')],
  ['variant', 'a function that returns a string', () => facts({ variant: noLoad }).preload(['a'])],
  ['bytes', 'a Uint8Array', () => table().load(wrong(3))],
  ['bytes', 'a Uint8Array', () => table().load(wrong('dump'))],
  ['feed', 'a ChangeFeed', () => table().follow(wrong({}))],
  ['files', 'a FileTable', () => changedFiles(wrong(undefined))],
  ['root', 'a string', () => changedByGit(wrong(3))],
  ['name', 'a string', () => parserId<object>(wrong(undefined), {}, {})],
  ['options', 'an object', () => parserId<object>('p', wrong(null), {})],
  ['effects', 'an object', () => parserId('p', {}, wrong('none'))],
  ['jsx', 'told as a string', () => parserId('p', { jsx: 1 }, { jsx: wrong(() => 3) })],
  ['paths', 'an iterable', () => warm(wrong('abc'), noLoad)],
  ['paths', 'an iterable', () => warm(wrong({}), noLoad)],
  ['paths', 'an iterable', () => facts().preload(wrong('a'))],
  ['roots', 'an iterable', () => ordered('abc', () => [])],
  ['dependenciesOf', 'returns an iterable', () => ordered(['a'], () => 'abc')],
  ['text', 'a string', () => pool(3, { signal: new AbortController().signal })],
  ['source', 'an object', () => pool('x', undefined)],
  ['source.signal', 'an AbortSignal', () => pool('x', {})],
  ['name', 'a string', () => graph().setOption(wrong(3), 1)],
  ['keys', 'an iterable', () => preloaded('abc')],
  ['key', 'a string', () => preloaded([3])],
]

async function take(all: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of all);
}

function preloaded(keys: unknown): Promise<number> {
  const own = graph()
  return own.preload(
    own.query('one', () => 1, { version: '1' }),
    wrong(keys),
  )
}

describe('a value of the wrong kind is refused by a typed error that names it', () => {
  test.each(calls)('%s is %s', async (option, expected, call) => {
    const [outcome] = await Promise.allSettled([(async () => call())()])
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'ERR_MILLRACE_INVALID_OPTION',
        option,
        expected: expect.stringContaining(expected),
      },
    })
  })
})
