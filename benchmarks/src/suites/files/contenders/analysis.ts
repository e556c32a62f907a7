import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
// The demo's analysis, as a user would write one.
import { deriveFacts } from '@millrace/demo/analyse/derive-facts'
import { createSourceQueries } from '@millrace/demo/analyse/source-queries'
import type { Measurement, Prepare } from '../../../define.ts'
import { type AnalysisTree, sourcesOf } from '../analysis-tree.ts'

/** Files parsed at once, with a cache and without. */
const CONCURRENCY = 8

/** Files asked for together: what is in flight survives collections of young garbage, so few at once are faster than all. */
const BATCH = 64

/** What a whole analysis takes and comes to: opening the caches, analysing, and closing them included. */
export interface Analysed {
  /** ms. */
  readonly time: number
  readonly imports: number
  readonly computed: number
}

/** Analyses a tree with what is in the cache folder. */
export async function analyse(
  { root, cache }: AnalysisTree,
  paths: readonly string[],
): Promise<Analysed> {
  const { Workspace } = await import('@millrace/cache-files')
  const begun = performance.now()
  const limit = atOnce(CONCURRENCY)
  await using workspace = new Workspace({
    root,
    cacheFolder: cache,
    preset: 'heavy',
    graph: { maxNodes: 100_000, maxResults: 100_000 },
  })
  const queries = createSourceQueries(workspace.graph, ({ path, bytes }) =>
    limit(() => deriveFacts(path, bytes.toString())),
  )
  await queries.preload(paths)
  let imports = 0
  for (let at = 0; at < paths.length; at += BATCH) {
    const batch = paths.slice(at, at + BATCH)
    const shapes = await Promise.all(batch.map(path => workspace.graph.get(queries.shape, path)))
    for (const shape of shapes) imports += shape.imports.length
  }
  const { computed } = workspace.graph.stats()
  await workspace.close()
  return { time: performance.now() - begun, imports, computed }
}

async function analyseUncached(paths: readonly string[]): Promise<Analysed> {
  const begun = performance.now()
  const limit = atOnce(CONCURRENCY)
  const facts = await Promise.all(
    paths.map(path => limit(() => deriveFacts(path, readFileSync(path, 'utf8')))),
  )
  const imports = facts.reduce((sum, fact) => sum + fact.imports.length, 0)
  return { time: performance.now() - begun, imports, computed: paths.length }
}

function withCache(filled: boolean): Prepare<number> {
  return async ({ fixture }) => {
    const tree = fixture as AnalysisTree
    const paths = sourcesOf(tree.root)
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-cache-'))
    const cache = join(folder, 'cache')
    if (filled) cpSync(tree.cache, cache, { recursive: true })
    return {
      async measure() {
        const { time, imports, computed } = await analyse({ ...tree, cache }, paths)
        // Facts, and what other files see of them.
        assert.equal(computed, filled ? 0 : 2 * paths.length)
        return { value: time, result: imports }
      },
      close: () => rmSync(folder, { recursive: true }),
    }
  }
}

export const cold: Prepare<number> = withCache(false)
export const warm: Prepare<number> = withCache(true)

export const uncached: Prepare<number> = async ({ fixture }): Promise<Measurement<number>> => {
  const paths = sourcesOf((fixture as AnalysisTree).root)
  return {
    async measure() {
      const { time, imports } = await analyseUncached(paths)
      return { value: time, result: imports }
    },
  }
}

/** Look-ups of parsed files that have not changed. */
export const lookUps: Prepare<number> = async ({ fixture }) => {
  const { FileTable, ParseCache } = await import('@millrace/cache-files')
  const { root } = fixture as AnalysisTree
  const paths = sourcesOf(root)
  const parses = new ParseCache({
    files: new FileTable({ root }),
    id: 'facts',
    parse: (text, { path }) => deriveFacts(path, text),
  })
  for (const path of paths) await parses.get(path)
  return {
    operations: 20 * paths.length,
    async run() {
      let imports = 0
      for (let round = 0; round < 20; round++) {
        imports = 0
        for (const path of paths) imports += (await parses.get(path)).value.imports.length
      }
      return imports
    },
    close: () => parses.close(),
  }
}

/** The same by parsing each time. */
export const parsing: Prepare<number> = async ({ fixture }) => {
  const paths = sourcesOf((fixture as AnalysisTree).root)
  const parseAll = async (): Promise<number> => {
    let imports = 0
    for (const path of paths) {
      imports += (await deriveFacts(path, readFileSync(path, 'utf8'))).imports.length
    }
    return imports
  }
  // Until it is compiled.
  await parseAll()
  return {
    async measure() {
      const begun = performance.now()
      const imports = await parseAll()
      return { value: ((performance.now() - begun) * 1_000) / paths.length, result: imports }
    },
  }
}

/** Runs work, so much of it at once. */
function atOnce(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let free = limit
  return async work => {
    if (free > 0) free--
    else await new Promise<void>(resolve => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
