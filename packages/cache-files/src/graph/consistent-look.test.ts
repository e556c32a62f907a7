import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { QueryContext } from './query.ts'

let root: string
let graph: Graph
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-look-'))
  graph = new Graph({ files: new FileTable({ root }) })
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await graph.close()
  rmSync(root, { recursive: true })
})

const write = (name: string, text: string) => writeFileSync(join(root, name), text)
const text = async (context: QueryContext, path: string) =>
  (await context.read(path)).bytes.toString()

/** Asks for a query that reads two things with a change of both in between. */
async function changedBetween(
  read: (context: QueryContext, which: 'first' | 'second') => Promise<string> | string,
  change: () => void,
): Promise<string> {
  let changes = 1
  const both = graph.query('both', async context => {
    const one = await read(context, 'first')
    if (changes-- > 0) change()
    return `${one} ${await read(context, 'second')}`
  })
  return graph.get(both, '')
}

describe('what changes together is seen together', () => {
  test('two files', async () => {
    write('first', 'old')
    write('second', 'old')
    const answer = await changedBetween(text, () => {
      write('first', 'new')
      write('second', 'new')
    })
    expect(answer).toBe('new new')
    expect(graph.stats().conflicts).toBe(1)
  })

  test('an option asked for twice', async () => {
    graph.setOption('mode', 'old')
    const read = (context: QueryContext) => `${context.option('mode')}`
    expect(await changedBetween(read, () => graph.setOption('mode', 'new'))).toBe('new new')
    expect(graph.stats().conflicts).toBe(1)
  })

  test('an option that is set to what it was, or that nobody asked for, disturbs no look', async () => {
    graph.setOption('mode', { target: 1 })
    const mode = graph.query('mode', context => {
      graph.setOption('mode', { target: 1 })
      graph.setOption('other', Math.random())
      return context.option('mode')
    })
    expect(await graph.get(mode, '')).toEqual({ target: 1 })
    expect(graph.stats().conflicts).toBe(0)
  })

  test('a file and a folder', async () => {
    write('first', 'old')
    const answer = await changedBetween(
      async (context, which) =>
        which === 'first' ? text(context, 'first') : (context.list('.')?.join('+') ?? ''),
      () => {
        write('first', 'new')
        write('other', '')
      },
    )
    expect(answer).toBe('new first+other')
  })

  test('what a path names and a file', async () => {
    write('second', 'old')
    const answer = await changedBetween(
      (context, which) => (which === 'first' ? context.kind('first') : text(context, 'second')),
      () => {
        write('first', '')
        write('second', 'new')
      },
    )
    expect(answer).toBe('file new')
  })

  test('two links', async () => {
    const point = (target: string) => {
      for (const name of ['first', 'second']) {
        rmSync(join(root, name), { force: true })
        symlinkSync(join(root, target), join(root, name))
      }
    }
    write('old', '')
    write('new', '')
    point('old')
    const answer = await changedBetween(
      (context, which) => context.realPath(which)?.split('/').at(-1) ?? 'none',
      () => point('new'),
    )
    expect(answer).toBe('new new')
  })

  test('a pattern and a file, a variable and a file', async () => {
    write('first', 'old')
    const globbed = await changedBetween(
      (context, which) =>
        which === 'first' ? `${context.glob('*.js').length}` : text(context, 'first'),
      () => {
        write('a.js', '')
        write('first', 'new')
      },
    )
    expect(globbed).toBe('1 new')
    vi.stubEnv('MILLRACE_TEST_MODE', 'old')
    const other = new Graph({ files: new FileTable({ root }) })
    let changes = 1
    const both = other.query('both', async context => {
      const mode = context.env('MILLRACE_TEST_MODE')
      if (changes-- > 0) {
        vi.stubEnv('MILLRACE_TEST_MODE', 'new')
        write('first', 'newest')
      }
      return `${mode} ${await text(context, 'first')}`
    })
    expect(await other.get(both, '')).toBe('new newest')
    await other.close()
  })

  test('a file that is gone and back with the same bytes was not still meanwhile', async () => {
    write('first', 'old')
    write('second', 'old')
    let changes = 1
    await changedBetween(
      async (context, which) => {
        if (which === 'second' && changes-- > 0) {
          // The first file is back by the time it is looked at again.
          write('first', 'new')
          write('second', 'new')
          const seen = await text(context, 'second')
          unlinkSync(join(root, 'first'))
          write('spare', 'old')
          renameSync(join(root, 'spare'), join(root, 'first'))
          return seen
        }
        return text(context, which)
      },
      () => undefined,
    )
    expect(graph.stats().conflicts).toBe(1)
  })

  test('two processes’ worth of files over two queries of one call', async () => {
    write('a', 'old')
    write('b', 'old')
    let changes = 1
    const one = graph.query('one', text)
    const other = graph.query('other', async (context, path) => {
      if (changes-- > 0) {
        write('a', 'new')
        write('b', 'new')
      }
      return text(context, path)
    })
    const pair = graph.query('pair', async context => [
      await context.get(one, 'a'),
      await context.get(other, 'b'),
    ])
    expect(await graph.get(pair, '')).toEqual(['new', 'new'])
  })

  test('calls of one turn that read different files agree', async () => {
    write('a', 'old')
    write('b', 'old')
    let changes = 1
    const one = graph.query('one', async (context, path) => {
      const seen = await text(context, path)
      if (changes-- > 0) {
        write('a', 'new')
        write('b', 'new')
      }
      return seen
    })
    const answers = await Promise.all([graph.get(one, 'a'), graph.get(one, 'b')])
    expect(answers).toEqual(['new', 'new'])
  })
})
