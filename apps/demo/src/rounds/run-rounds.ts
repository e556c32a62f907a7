import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { Workspace } from '@millrace/cache-files'
import { deriveFacts } from '../analyse/derive-facts.ts'
import {
  createSourceQueries,
  type SourceQueries,
  type TreeSummary,
} from '../analyse/source-queries.ts'
import { walk } from '../analyse/source-tree.ts'
import { explain } from '../report/explain.ts'
import { leftOut, type Problem } from '../report/left-out.ts'

/** What one round came to. */
interface Round {
  readonly name: string
  /** ms. */
  readonly time: number
  /** Results computed. */
  readonly recomputed: number
  /** Of them, those that came out the same, so that nothing beyond them was computed. */
  readonly cutOff: number
  readonly summary: TreeSummary
}

/** Rounds, and what the same work takes without any cache. */
export interface Rounds {
  readonly files: number
  /** ms to read and parse every file. */
  readonly uncached: number
  readonly rounds: readonly Round[]
}

export interface RoundsOptions {
  /** Files copied at most. Default: 10,000 */
  readonly limit?: number | undefined
  readonly signal: AbortSignal
  /** Told what is left out. */
  notice(line: string): void
}

/**
 * Analyses a copy of a tree again and again, with edits in between that a developer makes: what is computed, what is cut off?
 *
 * @throws the reason of `signal`, once it aborts; the copy is gone then, too
 */
export async function runRounds(
  directory: string,
  { limit = 10_000, signal, notice }: RoundsOptions,
): Promise<Rounds> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rounds-'))
  try {
    const paths = await copyTree(directory, join(folder, 'tree'), { limit, signal, notice })
    return await measure(folder, paths, signal)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function measure(
  folder: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Rounds> {
  const begun = performance.now()
  for (const path of paths) {
    signal.throwIfAborted()
    await deriveFacts(path, readFileSync(path, 'utf8'))
  }
  const uncached = performance.now() - begun
  const rounds: Round[] = []
  {
    await using run = new AnalysisRun(folder, paths, signal)
    rounds.push(await run.round('cold'))
  }
  await using run = new AnalysisRun(folder, paths, signal)
  rounds.push(await run.round('warm'))
  rounds.push(await run.round('nothing changed'))
  const [edited] = paths
  if (edited !== undefined) appendFileSync(edited, '\n// edited\n')
  rounds.push(await run.round('comment in one file'))
  if (edited !== undefined) appendFileSync(edited, '\nexport const millraceEdited = 1\n')
  rounds.push(await run.round('export in one file'))
  for (const path of paths.slice(0, 1_000)) appendFileSync(path, '\n// another branch\n')
  rounds.push(await run.round(`branch switch of ${Math.min(1_000, paths.length)} files`))
  return { files: paths.length, uncached, rounds }
}

/** One process's worth of caches over the tree. */
class AnalysisRun implements AsyncDisposable {
  readonly #workspace: Workspace
  readonly #queries: SourceQueries
  readonly #paths: readonly string[]
  readonly #signal: AbortSignal
  #fresh = true

  constructor(folder: string, paths: readonly string[], signal: AbortSignal) {
    this.#paths = paths
    this.#signal = signal
    this.#workspace = new Workspace({
      root: join(folder, 'tree'),
      cacheFolder: join(folder, 'cache'),
      preset: 'heavy',
      // Three results per file.
      graph: { maxNodes: 4 * paths.length + 1_000, maxResults: 4 * paths.length + 1_000 },
      watch: { ignore: [] },
    })
    this.#queries = createSourceQueries(this.#workspace.graph, ({ path, bytes }) =>
      deriveFacts(path, bytes.toString()),
    )
  }

  async round(name: string): Promise<Round> {
    const { graph } = this.#workspace
    const before = graph.stats()
    const begun = performance.now()
    if (this.#fresh) await this.#queries.preload(this.#paths)
    this.#fresh = false
    const summary = await graph.get(this.#queries.summary, '', { signal: this.#signal })
    const time = performance.now() - begun
    const after = graph.stats()
    return {
      name,
      time,
      recomputed: after.computed - before.computed,
      cutOff: after.cutoffs - before.cutoffs,
      summary,
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#workspace.close()
  }
}

/** @returns the copies; what cannot be read is left out */
async function copyTree(
  from: string,
  to: string,
  { limit = 10_000, signal, notice }: RoundsOptions,
): Promise<string[]> {
  const { sources } = await walk(from, signal)
  const copies: string[] = []
  const missed: Problem[] = []
  for (const path of sources.slice(0, limit)) {
    signal.throwIfAborted()
    const copy = join(to, relative(from, path))
    try {
      await mkdir(dirname(copy), { recursive: true })
      await cp(path, copy)
      copies.push(copy)
    } catch (error) {
      missed.push({ path, reason: explain(error as Error) })
    }
  }
  const line = leftOut(missed)
  if (line !== undefined) notice(line)
  return copies
}

/** The table of the rounds. */
export function renderRounds({ files, uncached, rounds }: Rounds): string {
  const lines = rounds.map(({ name, time, recomputed, cutOff }) =>
    [
      name.padEnd(28),
      `${time.toFixed(1)} ms`.padStart(12),
      `${recomputed}`.padStart(12),
      `${cutOff}`.padStart(9),
    ].join(' '),
  )
  return [
    `${files} files; read and parsed without a cache: ${uncached.toFixed(1)} ms`,
    `${'round'.padEnd(28)} ${'time'.padStart(12)} ${'recomputed'.padStart(12)} ${'cut off'.padStart(9)}`,
    ...lines,
  ].join('\n')
}
