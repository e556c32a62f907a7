import type { ResultCounts } from './analyse-sources.ts'
import type { FileFacts } from './facts.ts'
import { buildImportGraph, type ImportGraph } from './import-graph.ts'
import type { Manifest } from './manifests.ts'

/** What is known of a tree at one moment. */
export interface TreeContent {
  /** Facts of its source files, by path. */
  readonly files: ReadonlyMap<string, FileFacts>
  /** Manifests of its packages, by folder. */
  readonly manifests: ReadonlyMap<string, Manifest>
}

/** What a tree comes to now, in numbers, and what following its changes took. */
export interface TreeNow {
  readonly files: number
  readonly lines: number
  readonly syntaxErrors: number
  readonly packages: number
  /** Edges of the import graph between packages. */
  readonly edges: number
  /** Changes followed. */
  readonly changes: number
  /** Results computed anew for them. */
  readonly recomputed: number
  /** Of these, those that came out the same, so that nothing beyond them was computed. */
  readonly cutOff: number
}

/** A tree as it is now: what a run found of it, and from then on what each followed change made of it. */
export class PresentTree {
  #content: TreeContent
  #followed = { changes: 0, recomputed: 0, cutOff: 0 }
  #graph: ImportGraph | undefined
  #now: TreeNow | undefined

  constructor(content: TreeContent) {
    this.#content = content
  }

  /** Folded once after a change, and not before somebody asks: O(files + imports). */
  get graph(): ImportGraph {
    this.#graph ??= buildImportGraph(this.#content.files, this.#content.manifests)
    return this.#graph
  }

  /** As {@link graph}. */
  get now(): TreeNow {
    this.#now ??= { ...countsOf(this.#content, this.graph), ...this.#followed }
    return this.#now
  }

  /** From now on this is what the tree holds, after an analysis with these results. */
  follow(content: TreeContent, { recomputed, cutOff }: ResultCounts): void {
    this.#content = content
    const before = this.#followed
    this.#followed = {
      changes: before.changes + 1,
      recomputed: before.recomputed + recomputed,
      cutOff: before.cutOff + cutOff,
    }
    this.#graph = undefined
    this.#now = undefined
  }
}

function countsOf(
  { files }: TreeContent,
  { packages }: ImportGraph,
): Pick<TreeNow, 'files' | 'lines' | 'syntaxErrors' | 'packages' | 'edges'> {
  let [lines, syntaxErrors, edges] = [0, 0, 0]
  for (const facts of files.values()) {
    lines += facts.lines
    if (facts.syntaxError !== undefined) syntaxErrors++
  }
  for (const { imports } of packages.values()) edges += imports.size
  return { files: files.size, lines, syntaxErrors, packages: packages.size, edges }
}
