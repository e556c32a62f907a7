import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { MemoryStore } from '@millrace/cache-core/memory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GitError } from './errors.ts'
import { Facts } from './facts/facts.ts'
import { Graph } from './graph/graph.ts'
import { ParseCache } from './parse/parse-cache.ts'
import type { StoredResult } from './persist/stored-result.ts'
import { FileTable } from './table/file-table.ts'
import { changedByGit } from './warm/warm-orders.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-call-'))
  writeFileSync(join(root, 'a'), 'x')
})
afterEach(() => rmSync(root, { recursive: true }))

/** Every call that takes options, with the options given. */
function calls(): Record<string, (options: object) => Promise<unknown>> {
  const files = new FileTable({ root })
  const parses = new ParseCache({ files, id: 'text', parse: text => text })
  const facts = new Facts({
    files,
    id: 'size',
    store: new MemoryStore<StoredResult>(),
    extract: ({ bytes }) => bytes.length,
  })
  const graph = new Graph({ files })
  const size = graph.query('size', async (context, path) => (await context.read(path)).bytes.length)
  return {
    'FileTable.read': options => files.read('a', options),
    'ParseCache.get': options => parses.get('a', options),
    'ParseCache.of': options => parses.of(files.readSync('a'), options),
    'Facts.get': options => facts.get('a', options),
    'Facts.of': options => facts.of(files.readSync('a'), options),
    'Graph.get': options => graph.get(size, 'a', options),
  }
}

describe.each([
  'FileTable.read',
  'ParseCache.get',
  'ParseCache.of',
  'Facts.get',
  'Facts.of',
  'Graph.get',
])('%s', name => {
  const call = (options: object) => calls()[name]!(options)

  test('refuses an option that it does not know, and names the one that was meant', async () => {
    await expect(call({ signl: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'signl',
      message: expect.stringContaining('did you mean `signal`?'),
    })
  })

  test('refuses what is no signal, and no options', async () => {
    const invalid = (option: string) => ({ code: 'ERR_MILLRACE_INVALID_OPTION', option })
    for (const signal of [{}, 0, -0, NaN, '', false, null]) {
      await expect(call({ signal })).rejects.toMatchObject(invalid('signal'))
    }
    await expect(call([])).rejects.toMatchObject(invalid('options'))
  })

  test('takes undefined for absent, and rejects with the reason of an aborted signal', async () => {
    expect(await call({ signal: undefined })).toBeDefined()
    const reason = new Error('enough')
    await expect(call({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

test('changedByGit refuses unknown options and what cannot be a commit', async () => {
  const invalid = (option: string) => ({ code: 'ERR_MILLRACE_INVALID_OPTION', option })
  await expect(changedByGit(root, { sinc: 'HEAD' } as object)).rejects.toMatchObject({
    message: expect.stringContaining('did you mean `since`?'),
  })
  await expect(changedByGit(root, { since: '--output=x' })).rejects.toMatchObject(invalid('since'))
  await expect(changedByGit(root, { since: 1 as never })).rejects.toMatchObject(invalid('since'))
  await expect(changedByGit(root, { signal: {} as never })).rejects.toMatchObject(invalid('signal'))
})

test('changedByGit says that git failed, and shows nothing of what it was given', async () => {
  const none = await changedByGit(root, { since: 'hunter2' }).catch((error: unknown) => error)
  expect(none).toMatchObject({
    code: 'ERR_MILLRACE_GIT',
    command: 'diff',
    reason: expect.any(Number),
  })
  execFileSync('git', ['init', '--quiet', root])
  for (const since of ['hunter2', 'hunter2\0']) {
    const error = await changedByGit(root, { since }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(GitError)
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain('hunter2')
  }
  const gone = changedByGit(join(root, 'gone'))
  await expect(gone).rejects.toMatchObject({ code: 'ERR_MILLRACE_GIT', reason: 'ENOENT' })
  const reason = new Error('enough')
  const aborted = changedByGit(root, { signal: AbortSignal.abort(reason) })
  await expect(aborted).rejects.toBe(reason)
})

test('a graph takes queries of its own only, from outside and from within a query', async () => {
  const files = new FileTable({ root })
  const [graph, other] = [new Graph({ files }), new Graph({ files })]
  const foreign = other.query('size', () => 1)
  graph.query('size', () => 2)
  const nested = graph.query('nested', context => context.get(foreign, ''))
  const refused = { code: 'ERR_MILLRACE_INVALID_OPTION', option: 'query' }
  await expect(graph.get(foreign, '')).rejects.toMatchObject(refused)
  await expect(graph.preload(foreign, [''])).rejects.toMatchObject(refused)
  await expect(graph.get(nested, '')).rejects.toMatchObject(refused)
  const keyless = graph.query('keyless', context => context.get(nested, 1 as never))
  await expect(graph.get(keyless, '')).rejects.toMatchObject({ option: 'key' })
  await expect(graph.get(nested, 1 as never)).rejects.toMatchObject({ option: 'key' })
})
