import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { runs, seededRandom } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query, QueryContext } from './query.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let folder: string
let store: MemoryStore<TraceRecord>
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-moved-')))
  store = new MemoryStore()
})
afterEach(async () => {
  rmSync(folder, { recursive: true })
  await store.close()
})

const text = async (context: QueryContext, path: string): Promise<string> =>
  (await context.read(path)).bytes.toString()

/** Everything that a query may ask for, with the root in its name and without, in a checkout at `root`. */
const asks: Record<
  string,
  (context: QueryContext, root: string, read: Query<string, string>) => unknown
> = {
  'the root’s names': context => context.list('.'),
  'the root’s kind': context => context.kind('.'),
  'the root’s names by its path': (context, root) => context.list(root),
  'a folder’s names': context => context.list('sub'),
  'a pattern': context => context.glob('sub/*.ts').length,
  'a pattern with the root in it': (context, root) => context.glob(join(root, 'sub/*.ts')).length,
  'a pattern that leads back to it': (context, root) =>
    context.glob(`${root}/../${basename(root)}/sub/*.ts`).length,
  'a file': context => text(context, 'sub/a'),
  'a file by its path': (context, root) => text(context, join(root, 'sub/a')),
  'a file outside': context => text(context, '../shared/a'),
  'a pattern outside': context => context.glob('../shared/*.ts').length,
  'a query': (context, _, read) => context.get(read, 'sub/a'),
  'a query whose key leads out and back': (context, root, read) =>
    context.get(read, `../${basename(root)}/sub/a`),
  'a query whose key leads out': (context, _, read) => context.get(read, '../shared/a'),
  'a query whose key is a path': (context, root, read) => context.get(read, join(root, 'sub/a')),
  'a query whose key holds a path': (context, root, read) =>
    context.get(read, `?${join(root, 'sub/a')}`),
}

/** What a process at `root` is told, and how much it had to compute. */
async function run(root: string): Promise<{ answers: Record<string, unknown>; computed: number }> {
  await using graph = new Graph({ files: new FileTable({ root }), store })
  const version = '1'
  const read = graph.query('read', (context, key) => text(context, key.replace('?', '')), {
    version,
  })
  const ask = graph.query('ask', (context, name) => asks[name]!(context, root, read), { version })
  const through = graph.query('through', (context, name) => context.get(ask, name), { version })
  const answers: Record<string, unknown> = {}
  for (const name of Object.keys(asks)) answers[name] = await graph.get(through, name)
  return { answers, computed: graph.stats().computed }
}

test.each(['gone', 'still there'])(
  'results of a checkout, the old one %s, are not those of another',
  async old => {
    const [one, two] = [join(folder, 'one/tree'), join(folder, 'two/tree')]
    mkdirSync(join(one, 'sub'), { recursive: true })
    mkdirSync(join(folder, 'one/shared'))
    writeFileSync(join(one, 'sub/a'), 'old')
    writeFileSync(join(folder, 'one/shared/a'), 'old')
    const before = await run(one)
    expect(before.answers).toMatchObject({ 'a query': 'old', 'a pattern': 0 })
    expect((await run(one)).computed).toBe(0)
    cpSync(join(folder, 'one'), join(folder, 'two'), { recursive: true })
    if (old === 'gone') rmSync(join(folder, 'one'), { recursive: true })
    // What names the root, or leads out of it, is computed anew; all else is found.
    const moved = await run(two)
    expect(moved.answers).toEqual(before.answers)
    expect(moved.computed).toBeLessThan(before.computed / 2)
    writeFileSync(join(two, 'more'), '')
    writeFileSync(join(two, 'sub/b.ts'), '')
    writeFileSync(join(two, 'sub/a'), 'new')
    writeFileSync(join(folder, 'two/shared/a'), 'new')
    writeFileSync(join(folder, 'two/shared/b.ts'), 'new')
    await run(two)
    const { answers } = await run(two)
    await store.clear()
    expect(answers).toEqual((await run(two)).answers)
    expect(answers).toMatchObject({ 'a query whose key is a path': 'new', 'a pattern': 1 })
  },
)

test('a key that names a file of a checkout is about that one in another one, too', async () => {
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  for (const root of [one, two]) {
    mkdirSync(root)
    writeFileSync(join(root, 'a'), 'same')
  }
  for (const [root, content] of [
    [one, 'same'],
    [two, 'edited'],
    [one, 'edited once more'],
  ] as const) {
    if (content !== 'same') writeFileSync(join(one, 'a'), content)
    await using graph = new Graph({ files: new FileTable({ root }), store })
    const read = graph.query('read', text, { version: '1' })
    expect(await graph.get(read, join(one, 'a'))).toBe(content)
  }
})

test('checkouts within and beside each other on one store are not taken for each other', async () => {
  const random = seededRandom(16)
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const roots = ['a', 'a/b', 'c', 'c/b', 'a/b/d'].map(name => join(folder, name))
  for (const root of roots) mkdirSync(root, { recursive: true })
  const paths = ['f', 'b/f', '.', '..', '../f', '../b', '../c/b/f', '../a/f', '../../c/f', 'd/f']
  const ask = async (root: string, key: string, kept: boolean): Promise<unknown> => {
    await using graph = new Graph({
      files: new FileTable({ root }),
      ...(kept && { store, maxNodes: pick([2, 1_000]) }),
    })
    const part: Query<string, unknown> = graph.query(
      'part',
      async (context, step) => {
        const [what, path = ''] = step.split('|')
        if (what === 'kind') return context.kind(path)
        if (what === 'list') return context.list(path) ?? null
        if (what === 'glob') return context.glob(`${path}/*`).length
        if (what === 'read') return context.kind(path) === 'file' ? text(context, path) : null
        // Under the key of another path.
        return context.get(part, `${what === 'full' ? 'read' : 'kind'}|${join(root, path)}`)
      },
      { version: '1' },
    )
    const all = graph.query('all', (context, steps) => context.getMany(part, steps.split('&')), {
      version: '1',
    })
    return await graph.get(all, key)
  }
  const step = () => `${pick(['kind', 'list', 'glob', 'read', 'full', 'full kind'])}|${pick(paths)}`
  const keys = Array.from({ length: 8 }, () => Array.from({ length: 4 }, step).join('&'))
  for (let round = 0; round < runs(300); round++) {
    const file = join(pick(roots), 'f')
    if (random() < 0.7) writeFileSync(file, pick(['1', '22', '']))
    else rmSync(file, { force: true })
    const [root, key] = [pick(roots), pick(keys)]
    expect(await ask(root, key, true)).toEqual(await ask(root, key, false))
  }
})
