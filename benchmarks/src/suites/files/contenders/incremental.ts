import { readFileSync, writeFileSync } from 'node:fs'
import type { Prepare } from '../../../define.ts'
import { count, paths } from '../tree.ts'

/** A tree that is watched is asked for again: no file is looked at. */
export const watched: Prepare<number> = async ({ fixture }) => {
  const { FileTable, Watcher } = await import('@millrace/cache-files')
  const root = fixture as string
  const names = paths(root)
  const files = new FileTable({ root })
  const watcher = new Watcher({ files })
  await watcher.settled()
  const known = names.map(name => files.hashSync(name))
  for (const name of names) files.hashSync(name)
  return {
    operations: count,
    async run() {
      await watcher.settled()
      const { trusted } = files.stats()
      let same = 0
      for (let i = 0; i < count; i++) if (files.hashSync(names[i]!) === known[i]) same++
      if (files.stats().trusted - trusted !== count) throw new Error('Looked at a file')
      return same
    },
    close: () => watcher.close(),
  }
}

/** Edits of one file, each followed by a question about all of them; fewer where each answer reads all files. */
const edits = 60
const scratchEdits = 6
/** Edits before them, in which the code is compiled. */
const warmup = 20

const firstNumber = (text: string): number => Number(/= (\d+)/.exec(text)?.[1])

/** From an edit to the answer, by a graph over files that are watched. */
export const graphAnswer: Prepare<number> = async ({ fixture }) => {
  const { FileTable, Graph, Watcher } = await import('@millrace/cache-files')
  const root = fixture as string
  const names = paths(root)
  const files = new FileTable({ root })
  const watcher = new Watcher({ files })
  const graph = new Graph({ files })
  const first = graph.query('first', async (context, path) =>
    firstNumber((await context.read(path)).bytes.toString()),
  )
  const sum = graph.query('sum', async context => {
    let total = 0
    for (const number of await context.getMany(first, names)) total += number
    return total
  })
  await watcher.settled()
  await graph.get(sum, '')
  return {
    measure: () => p95OfEdits(names, { warmup, edits }, () => graph.get(sum, '')),
    async close() {
      await graph.close()
      await watcher.close()
    },
  }
}

/** The same from scratch. */
export const scratchAnswer: Prepare<number> = async ({ fixture }) => {
  const names = paths(fixture as string)
  return {
    measure: () =>
      p95OfEdits(names, { warmup: scratchEdits, edits: scratchEdits }, async () => {
        let total = 0
        for (const name of names) total += firstNumber(readFileSync(name, 'utf8'))
        return total
      }),
  }
}

async function p95OfEdits(
  names: readonly string[],
  { warmup, edits }: { readonly warmup: number; readonly edits: number },
  ask: () => Promise<number>,
): Promise<{ value: number; result: number }> {
  const expected = (count * (count - 1)) / 2
  const times: number[] = []
  let wrong = 0
  for (let edit = 0; edit < warmup + edits; edit++) {
    const index = (edit * 997) % count
    const original = readFileSync(names[index]!, 'utf8')
    writeFileSync(names[index]!, original.replace(`= ${index}`, `= ${index + 1_000_000}`))
    const begun = performance.now()
    const answer = await ask()
    if (edit >= warmup) times.push(performance.now() - begun)
    if (answer !== expected + 1_000_000) wrong++
    writeFileSync(names[index]!, original)
  }
  times.sort((a, b) => a - b)
  return { value: times[Math.floor(times.length * 0.95)]!, result: wrong }
}
