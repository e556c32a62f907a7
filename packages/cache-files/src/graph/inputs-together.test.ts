import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query, QueryContext } from './query.ts'

type State = 'old' | 'new'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-together-')))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true })
})

const put = (name: string, text: string) => {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), text)
}
const text = async (context: QueryContext, path: string): Promise<string> =>
  (await context.read(path)).bytes.toString()
/** Makes a name exist in one state only. */
const exists = (name: string, state: State): void => {
  rmSync(join(root, name), { force: true })
  if (state === 'new') put(name, '')
}

/** Every way in which a result may depend on the world: how the world is brought into a state, and how a query tells it. */
const inputs: Record<
  string,
  {
    set(state: State, graph: Graph): void
    read(context: QueryContext): unknown
  }
> = {
  file: {
    set: state => put('file', state),
    read: context => text(context, 'file'),
  },
  'missing file': {
    set: state => exists('missing', state),
    read: context =>
      context.read('missing').then(
        () => 'new',
        () => 'old',
      ),
  },
  kind: {
    set: state => exists('kind', state),
    read: context => (context.kind('kind') === 'file' ? 'new' : 'old'),
  },
  list: {
    set: state => exists('list/name', state),
    read: context => (context.list('list')?.length === 2 ? 'new' : 'old'),
  },
  glob: {
    set: state => exists('glob/name.x', state),
    read: context => (context.glob('glob/*.x').length === 1 ? 'new' : 'old'),
  },
  'real path': {
    set: state => {
      symlinkSync(state, join(root, 'next'))
      renameSync(join(root, 'next'), join(root, 'link'))
    },
    read: context => context.realPath('link')?.split('/').at(-1),
  },
  environment: {
    set: state => vi.stubEnv('MILLRACE_TEST_STATE', state),
    read: context => context.env('MILLRACE_TEST_STATE'),
  },
  option: {
    set: (state, graph) => graph.setOption('state', { state }),
    read: context => (context.option('state') as { state: State }).state,
  },
  'unset option, a version': {
    set: (state, graph) => graph.setOption('version', state === 'new' ? '2' : undefined),
    read: context => (context.option('version') === undefined ? 'old' : 'new'),
  },
  'durable folder': {
    set: state => {
      put('installed/file', state)
      put('marker', state)
    },
    read: context => text(context, 'installed/file'),
  },
}
const names = Object.keys(inputs)

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('whatever a look asks for, in whichever order, itself or through other queries, is of one moment', async () => {
  const asked = fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean()), {
    minLength: 2,
    maxLength: 8,
  })
  await fc.assert(
    fc.asyncProperty(asked, fc.array(fc.nat(8), { maxLength: 4 }), async (order, moments) => {
      const files = new FileTable({ root })
      await using graph = new Graph({
        files,
        durable: [{ folder: 'installed', markers: ['marker'] }],
      })
      let state: State = 'old'
      const change = (): void => {
        state = state === 'old' ? 'new' : 'old'
        for (const { set } of Object.values(inputs)) set(state, graph)
      }
      put('old', '')
      put('new', '')
      put('list/there', '')
      put('glob/there', '')
      state = 'new'
      change()
      // Steps of the queries so far, and the one before which everything changes.
      let step = 0
      let due: number[] = []
      const pass = async (): Promise<void> => {
        await turn()
        if (due[0] === step++) {
          due.shift()
          change()
        }
      }
      const through: Query<string, unknown> = graph.query('through', async (context, name) => {
        await pass()
        const seen = await inputs[name]!.read(context)
        await pass()
        return seen
      })
      const all = graph.query('all', async context => {
        const seen: unknown[] = []
        for (const [name, nested] of order) {
          await pass()
          seen.push(await (nested ? context.get(through, name) : inputs[name]!.read(context)))
        }
        await pass()
        return seen
      })
      // The first look has nothing to go by, those after it have traces; each is disturbed once.
      for (const moment of [undefined, ...moments]) {
        step = 0
        due = moment === undefined ? [] : [moment]
        const seen = await graph.get(all, '')
        expect(new Set(seen)).toEqual(new Set([seen[0]]))
        // Nothing changes after the one moment has come.
        if (due.length === 0) expect(seen[0]).toBe(state)
        due = []
        change()
      }
    }),
    { numRuns: runs(100) },
  )
})

test('what was read before a marker changed is not taken for what is there after it', async () => {
  put('installed/file', 'old')
  put('marker', 'old')
  await using graph = new Graph({
    files: new FileTable({ root }),
    durable: [{ folder: 'installed', markers: ['marker'] }],
  })
  const read = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const slow = graph.query('slow', async context => {
    const seen = await text(context, 'installed/file')
    read.resolve()
    await gate.promise
    return seen
  })
  const before = graph.get(slow, '')
  await read.promise
  put('installed/file', 'new')
  put('marker', 'new')
  const after = graph.get(slow, '')
  for (let turns = 0; turns < 5; turns++) await turn()
  gate.resolve()
  expect(await Promise.all([before, after, graph.get(slow, '')])).toEqual(['new', 'new', 'new'])
})
