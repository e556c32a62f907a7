import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Watcher } from '../watch/watcher.ts'
import { Graph } from './graph.ts'
import type { Query } from './query.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let folder: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-scripts-')))
})
afterEach(() => rmSync(folder, { recursive: true }))

const names = ['a', 'b', 'c', 'd/e', 'd/f']
const name = fc.constantFrom(...names)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('write' as const), name, name, fc.nat(2)) },
  ...(['delete', 'rename', 'folder', 'link', 'touch', 'same size', 'reopen'] as const).map(
    kind => ({
      weight: 1,
      arbitrary: fc.tuple(fc.constant(kind), name, name, fc.nat(2)),
    }),
  ),
)
type Step = [kind: string, name: string, other: string, number: number]

/** Does to the tree what a step says; what cannot be done to the present tree is left. */
function edit(root: string, [kind, name, other, number]: Step): void {
  const path = join(root, name)
  const there = lstatSync(path, { throwIfNoEntry: false })
  switch (kind) {
    case 'write':
      if (there !== undefined && !there.isFile()) rmSync(path, { recursive: true })
      writeFileSync(path, `${number} ${other}`)
      break
    case 'delete':
      rmSync(path, { recursive: true, force: true })
      break
    case 'rename': {
      if (there === undefined || other === name) return
      rmSync(join(root, other), { recursive: true, force: true })
      renameSync(path, join(root, other))
      break
    }
    case 'folder':
      rmSync(path, { recursive: true, force: true })
      mkdirSync(path)
      break
    case 'link':
      rmSync(path, { recursive: true, force: true })
      symlinkSync(join(root, other), path)
      break
    case 'touch':
      if (there?.isFile()) utimesSync(path, number, number)
      break
    case 'same size': {
      if (!there?.isFile()) return
      const { atime, mtime } = statSync(path)
      const text = readFileSync(path, 'latin1')
      writeFileSync(path, `${(Number(text[0]) + 1) % 3}${text.slice(1)}`)
      utimesSync(path, atime, mtime)
      break
    }
  }
}

/** Queries over every kind of input, one upon the other. */
function declare(graph: Graph): readonly Query<string, unknown>[] {
  const version = '1'
  const parsed = graph.query(
    'parsed',
    async (context, path) => {
      const [number, next] = (await context.read(path)).bytes.toString().split(' ')
      return { number: Number(number), next }
    },
    { version },
  )
  const number = graph.select(parsed, 'number', value => value.number, { version })
  const next = graph.select(parsed, 'next', value => value.next)
  const reach: Query<string, number> = graph.query<number>(
    'reach',
    async (context, path) => {
      const target = await context.get(next, path)
      const own = await context.get(number, path)
      return target === undefined || context.kind(target) !== 'file'
        ? own
        : own + (await context.get(reach, target))
    },
    { version },
  )
  const places = graph.query(
    'places',
    (context, path) => [
      context.kind(path),
      context.list('d'),
      context.glob('**/{a,e}'),
      context.realPath(path),
    ],
    { version },
  )
  const sum = graph.query('sum', async context => {
    const found = context.glob('**/*').filter(path => context.kind(path) === 'file')
    const numbers = await Promise.all(found.map(path => context.get(number, path)))
    return numbers.reduce((a, b) => a + b, 0)
  })
  return [number, reach, places, sum] as unknown as Query<string, unknown>[]
}

async function outcomes(
  graph: Graph,
  queries: readonly Query<string, unknown>[],
): Promise<unknown[]> {
  const asked = names.flatMap(key => queries.map(query => graph.get(query, key)))
  const settled = await Promise.allSettled(asked)
  return settled.map(result => {
    if (result.status === 'fulfilled') return result.value
    const { code, reason } = result.reason as { code: string; reason?: string }
    // Of a circle and a file that cannot be read a query may meet either first.
    expect(['ERR_MILLRACE_CYCLE', 'ERR_MILLRACE_FILE_READ'], reason).toContain(code)
    return 'failed'
  })
}

const watched = { how: 'watched', watches: process.platform === 'linux', numRuns: runs(10) }
const looking = { how: 'looking', watches: false, numRuns: runs(40) }

test.each([looking, watched])(
  'after any script of edits every query says what one made from nothing says, across processes, $how',
  async ({ watches, numRuns }) => {
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async steps => {
        const root = join(folder, `run-${run++}`)
        mkdirSync(join(root, 'd'), { recursive: true })
        const store = new MemoryStore<TraceRecord>()
        const open = (files = new FileTable({ root })) => {
          const graph = new Graph({ files, store })
          const watcher = watches ? new Watcher({ files }) : undefined
          return { files, graph, watcher, queries: declare(graph) }
        }
        let kept = open()
        for (const made of steps) {
          edit(root, made)
          if (made[0] === 'reopen') {
            await kept.graph.close()
            await kept.watcher?.close()
            const files = new FileTable({ root })
            files.load(kept.files.dump())
            kept = open(files)
          }
          const scratch = new Graph({ files: new FileTable({ root }) })
          const expected = await outcomes(scratch, declare(scratch))
          expect(await outcomes(kept.graph, kept.queries)).toEqual(expected)
          await scratch.close()
        }
        await kept.graph.close()
        await kept.watcher?.close()
        await store.close()
      }),
      { numRuns },
    )
  },
)
