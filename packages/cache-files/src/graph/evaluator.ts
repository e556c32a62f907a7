import { CycleError } from '../errors.ts'
import type { FileTable } from '../table/file-table.ts'
import { defaultFingerprint } from './fingerprint.ts'
import { type AnyQuery, type GraphNode, waitPath } from './graph-node.ts'
import { QueryRun } from './query-run.ts'
import { type Revision, RevisionConflict } from './revision.ts'

/** What an {@link Evaluator} needs of the graph around it. */
export interface NodeSource {
  /** The node of a query and key, made if there is none. */
  node(query: AnyQuery, key: string): GraphNode
  /** Fills in a trace that was kept elsewhere, if there is one. Called once per node. */
  seek(node: GraphNode): Promise<void>
  /** Keeps a new result elsewhere. */
  keep(node: GraphNode): void
}

/** How deep updates may call each other before one waits for the stack to unwind: a chain of files may be thousands long. */
const DEPTH = 100

/** Brings nodes up to date within revisions: verifies their traces and computes those that do not hold. */
export class Evaluator {
  readonly #files: FileTable
  readonly #source: NodeSource
  /** Updates on the present stack. */
  #depth = 0
  verified = 0
  computed = 0
  cutoffs = 0
  failures = 0

  constructor(files: FileTable, source: NodeSource) {
    this.#files = files
    this.#source = source
  }

  /** Brings a node up to date; its value and fingerprint are then those of the revision. */
  async update(node: GraphNode, revision: Revision): Promise<void> {
    if (node.checked === revision.number) return
    if (node.flight?.revision !== revision.number) {
      // A failed flight stays for the rest of the revision, so that the query is not run again in it.
      this.#depth++
      node.flight = { revision: revision.number, done: this.#update(node, revision) }
      this.#depth--
    }
    await node.flight.done
  }

  async #update(node: GraphNode, revision: Revision): Promise<void> {
    if (this.#depth > DEPTH) await undefined
    if (!node.sought) {
      node.sought = true
      await this.#source.seek(node)
    }
    if (await this.#holds(node, revision)) {
      node.checked = revision.number
      this.verified++
    } else await this.#compute(node, revision)
    node.flight = undefined
  }

  /** Whether everything the result was computed from is the same, asked in the order in which it was asked for then. */
  async #holds(node: GraphNode, revision: Revision): Promise<boolean> {
    if (node.trace === undefined) return false
    for (const dependency of node.trace) {
      if (dependency.node === undefined) {
        const { kind, name, fingerprint } = dependency
        if (revision.fingerprint(kind, name) !== fingerprint) return false
        continue
      }
      let source = dependency.node
      if (source.dropped) source = this.#source.node(source.query, source.key)
      if (source.checked !== revision.number) {
        try {
          await this.#await(node, source, revision)
        } catch {
          // Whether the failure still matters is for the query to find out.
          return false
        }
      }
      if (source.fingerprint !== dependency.fingerprint) return false
    }
    return true
  }

  async #compute(node: GraphNode, revision: Revision): Promise<void> {
    this.computed++
    const run = new QueryRun(node, revision, this.#files.root, async (asker, query, key) => {
      const source = this.#source.node(query, key)
      if (source.checked !== revision.number) await this.#await(asker, source, revision)
      return source
    })
    try {
      const { value, trace } = await run.run()
      // A query may have caught the conflict.
      if (revision.conflict !== undefined) throw new RevisionConflict(revision.conflict)
      const fingerprint = (node.query.fingerprint ?? defaultFingerprint)(value)
      if (node.trace !== undefined && fingerprint === node.fingerprint) this.cutoffs++
      node.fingerprint = fingerprint
      node.trace = trace
      node.held = { value }
      node.checked = revision.number
    } catch (error) {
      if (!(error instanceof RevisionConflict)) this.failures++
      throw error
    }
    this.#source.keep(node)
  }

  /** Waits for another node, unless that node waits for this one. */
  async #await(asker: GraphNode, source: GraphNode, revision: Revision): Promise<void> {
    const path = waitPath(source, asker)
    if (path !== undefined) throw new CycleError([asker, ...path].map(({ label }) => label))
    asker.waiting.add(source)
    try {
      await this.update(source, revision)
    } finally {
      asker.waiting.delete(source)
    }
  }
}
