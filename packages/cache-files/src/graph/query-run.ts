import { resolve } from 'node:path'
import { ContextEndedError, FileReadError } from '../errors.ts'
import type { FileContent } from '../table/file-table.ts'
import type { Dependency, GraphNode } from './graph-node.ts'
import { envValue, type InputKind } from './inputs.ts'
import type { PathKind, Query, QueryContext } from './query.ts'
import type { Revision } from './revision.ts'

/** Finds the node of another query and brings it up to date, for `asker`. */
export type Ask = (
  asker: GraphNode,
  query: Query<string, unknown>,
  key: string,
) => Promise<GraphNode>

/** One computation of a node: the context handed to the query, which writes down what is asked for, in order. */
export class QueryRun implements QueryContext {
  readonly #node: GraphNode
  readonly #revision: Revision
  readonly #root: string
  readonly #ask: Ask
  /** In order of asking; a hole until the answer is there. */
  readonly #trace: (Dependency | undefined)[] = []
  readonly #asked = new Map<string, number>()
  readonly #open = new Set<Promise<unknown>>()
  #ended = false

  constructor(node: GraphNode, revision: Revision, root: string, ask: Ask) {
    this.#node = node
    this.#revision = revision
    this.#root = root
    this.#ask = ask
  }

  /**
   * Runs the query. Waits also for what it asked for and did not wait for: that is part of the trace of a result, and
   * after an error it must not reach into the next look, where its end would take the edge in which a circle is found.
   */
  async run(): Promise<{ value: unknown; trace: readonly Dependency[] }> {
    try {
      const value = await this.#node.query.compute(this, this.#node.key)
      await this.#settled()
      return { value, trace: this.#trace as Dependency[] }
    } catch (error) {
      await this.#settled()
      throw error
    } finally {
      this.#ended = true
    }
  }

  get<K extends string, V>(query: Query<K, V>, key: K): Promise<V> {
    const asked = query as unknown as Query<string, unknown>
    const index = this.#reserve(`${asked.name}(${key}`)
    return this.#track(async () => {
      try {
        const node = await this.#ask(this.#node, asked, key)
        this.#fill(index, { node, fingerprint: node.fingerprint })
        return node.held!.value as V
      } catch (error) {
        // It may succeed next time without any input having changed.
        this.#fill(index, this.#input('untracked', asked.name, 'failed'))
        throw error
      }
    })
  }

  read(path: string): Promise<FileContent> {
    const full = resolve(this.#root, path)
    const index = this.#reserve(`file:${full}`)
    return this.#track(async () => {
      try {
        const content = await this.#revision.read(full)
        this.#fill(index, this.#input('file', full, content.hash))
        return content
      } catch (error) {
        if (error instanceof FileReadError) {
          const fingerprint = this.#revision.note('file', full, `error ${error.reason}`)
          this.#fill(index, this.#input('file', full, fingerprint))
        } else this.#fill(index, this.#input('untracked', full, 'failed'))
        throw error
      }
    })
  }

  kind(path: string): PathKind {
    return this.#look('kind', resolve(this.#root, path)) as PathKind
  }

  list(path: string): readonly string[] | undefined {
    const full = resolve(this.#root, path)
    const index = this.#reserve(`list:${full}`)
    const names = this.#revision.list(full)
    this.#fill(index, this.#input('list', full, this.#revision.fingerprint('list', full)))
    return names
  }

  realPath(path: string): string | undefined {
    return this.#look('realPath', resolve(this.#root, path)) || undefined
  }

  env(name: string): string | undefined {
    return envValue(this.#look('env', name))
  }

  untracked(): void {
    this.#fill(this.#reserve('untracked'), this.#input('untracked', '', 'always'))
  }

  async #settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.allSettled(this.#open)
  }

  /** Looks at an input whose fingerprint says all of it. */
  #look(kind: InputKind, name: string): string {
    const index = this.#reserve(`${kind}:${name}`)
    const fingerprint = this.#revision.fingerprint(kind, name)
    this.#fill(index, this.#input(kind, name, fingerprint))
    return fingerprint
  }

  #input(kind: InputKind, name: string, fingerprint: string): Dependency {
    return { node: undefined, kind, name, fingerprint }
  }

  /** The place in the trace of something that is asked for now, the same one if it was asked for before. */
  #reserve(id: string): number {
    if (this.#ended) throw new ContextEndedError(this.#node.query.name)
    const known = this.#asked.get(id)
    if (known !== undefined) return known
    this.#asked.set(id, this.#trace.length)
    return this.#trace.push(undefined) - 1
  }

  #fill(index: number, dependency: Dependency): void {
    this.#trace[index] = dependency
  }

  #track<T>(work: () => Promise<T>): Promise<T> {
    const done = work()
    this.#open.add(done)
    const forget = () => this.#open.delete(done)
    done.then(forget, forget)
    return done
  }
}
