import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileTable, Graph, Query } from '@millrace/cache-files'
import type { Prepare } from '../../../define.ts'
import { count, paths } from '../tree.ts'

/** A file that each other one of a chain imports: its exported names, and those that the one before it sees. */
async function chain(root: string): Promise<{
  readonly graph: Graph
  readonly files: FileTable
  readonly visible: Query<string, string>
}> {
  const { FileTable, Graph } = await import('@millrace/cache-files')
  const names = paths(root)
  const files = new FileTable({ root })
  const graph = new Graph({ files })
  const exported = graph.query('exported', async (context, key) => {
    const text = (await context.read(names[Number(key)]!)).bytes.toString('latin1')
    return [...text.matchAll(/^export const (\w+)/gm)].map(([, name]) => name).join()
  })
  const visible = graph.query('visible', async (context, key) => {
    const next = `${(Number(key) + 1) % count}`
    return `${await context.get(exported, key)} ${await context.get(exported, next)}`
  })
  return { graph, files, visible }
}

function computedAfter(edit: string): Prepare<number> {
  return async ({ fixture }) => {
    const root = fixture as string
    const { graph, visible } = await chain(root)
    const ask = () =>
      Promise.all(Array.from({ length: count }, (_, key) => graph.get(visible, `${key}`)))
    await ask()
    return {
      async measure() {
        const path = paths(root)[4_711]!
        const { size } = statSync(path)
        const before = graph.stats().computed
        appendFileSync(path, edit)
        const answers = await ask()
        const { computed } = graph.stats()
        truncateSync(path, size)
        const seen = answers.filter(names => names.includes('edited')).length
        return { value: computed - before, result: seen }
      },
      close: () => graph.close(),
    }
  }
}

export const comment: Prepare<number> = computedAfter('\n// export const edited\n')
export const exporting: Prepare<number> = computedAfter('\nexport const edited = 1\n')

/** What there is to compute without a graph. */
export const everything: Prepare<number> = async () => ({
  measure: () => ({ value: 2 * count, result: -1 }),
})

const rounds = 200
const files = 300

/** Bytes of the cache folder after 200 rounds of edits and builds, each in a workspace of its own. */
export const disk: Prepare<number> = async () => {
  const { Workspace } = await import('@millrace/cache-files')
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-disk-'))
  const [root, cacheFolder] = [join(folder, 'tree'), join(folder, 'cache')]
  mkdirSync(root)
  const write = (index: number, round: number) =>
    writeFileSync(
      join(root, `${index}.js`),
      `export const n = ${index}, round = ${round}\n`.repeat(40),
    )
  for (let index = 0; index < files; index++) write(index, 0)
  const build = async (): Promise<number> => {
    await using workspace = new Workspace({ root, cacheFolder, preset: 'heavy' })
    const lines = workspace.graph.query(
      'lines',
      async (context, path) => (await context.read(path)).bytes.toString().split('\n'),
      { version: '1' },
    )
    const all = await Promise.all(
      Array.from({ length: files }, (_, index) => workspace.graph.get(lines, `${index}.js`)),
    )
    await workspace.close()
    return all.length
  }
  return {
    async measure() {
      let first = 0
      let built = 0
      for (let round = 1; round <= rounds; round++) {
        for (let edit = 0; edit < 30; edit++) write((round * 31 + edit * 7) % files, round)
        built = await build()
        if (round === 20) first = bytesIn(cacheFolder)
      }
      return { value: bytesIn(cacheFolder) / first, result: built }
    },
    close: () => rmSync(folder, { recursive: true }),
  }
}

function bytesIn(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names
    .map(name => statSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)
}
