import type { Clock, Timer } from '@millrace/cache-core'
import { GraphClosedError, UnsettledError } from '../../errors.ts'
import type { FileTable } from '../../table/file-table.ts'
import type { GraphNode } from '../trace/graph-node.ts'
import type { Asker, Evaluator } from './evaluator.ts'
import type { Look, Waiter } from './flight.ts'

/** How many consistent looks are tried before a call gives up. */
const ATTEMPTS = 5
/** ms for which an answer waits for others of its batch, to be checked with them. */
const GRACE = 5

/** One call of `graph.get`. */
export class GraphRequest implements Asker {
  readonly node: GraphNode
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: unknown) => void
  readonly waiters: Set<Waiter> = new Set()
  gone = false
  /** What it came to in the present revision. */
  answer: PromiseSettledResult<unknown> | undefined

  constructor(
    node: GraphNode,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.node = node
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Ends it with its answer. */
  settle(): void {
    if (this.gone || this.answer === undefined) return
    this.#end()
    if (this.answer.status === 'fulfilled') this.#resolve(this.answer.value)
    else this.#reject(this.answer.reason)
  }

  /** Ends it without; what was done for it alone is stopped. */
  leave(reason: unknown): void {
    if (this.gone) return
    this.#end()
    this.#reject(reason)
  }

  #end(): void {
    this.gone = true
    for (const waiter of this.waiters) waiter.leave()
  }
}

/** What a {@link RequestBatch} needs of the graph. */
export interface BatchEnvironment {
  readonly files: FileTable
  readonly evaluator: Evaluator
  readonly clock: Clock
  /** Begins a revision. */
  begin(): Look
  /** Told of each revision that a change in the middle made worthless. */
  conflicted(): void
}

/**
 * Calls that share a look at the world. Each is answered when it is done and what the revision has looked at is found unmoved, whatever
 * the others still wait for; where something moved, all that are not answered are begun anew.
 */
export class RequestBatch {
  readonly #environment: BatchEnvironment
  #open: GraphRequest[]
  #revision: Look | undefined
  #grace: Timer | undefined
  #checking = false
  #attempt = 0
  readonly #done = Promise.withResolvers<void>()

  constructor(environment: BatchEnvironment, requests: readonly GraphRequest[]) {
    this.#environment = environment
    this.#open = [...requests]
  }

  /** When its revision began. */
  get startedAt(): number {
    return this.#revision?.startedAt ?? Infinity
  }

  /** Resolves when every request is answered or gone. Never rejects. */
  run(): Promise<void> {
    void this.#begin()
    return this.#done.promise
  }

  /** Ends all requests. */
  close(): void {
    for (const request of this.#open) request.leave(new GraphClosedError())
  }

  async #begin(): Promise<void> {
    this.#attempt++
    const { files, evaluator } = this.#environment
    try {
      await files.settled()
      const revision = this.#environment.begin()
      this.#revision = revision
      for (const request of this.#open) {
        request.answer = undefined
        void this.#answer(request, evaluator.demand(request.node, revision, request), revision)
      }
    } catch (error) {
      for (const request of this.#open) request.leave(error)
    }
    this.#check()
  }

  async #answer(request: GraphRequest, demand: Promise<unknown>, revision: Look): Promise<void> {
    const [answer] = await Promise.allSettled([demand])
    if (this.#revision !== revision) return
    request.answer = answer
    this.#check()
  }

  /** Looks whether answers can be given now, or soon. */
  #check(): void {
    this.#open = this.#open.filter(({ gone }) => !gone)
    if (this.#open.length === 0) {
      this.#grace?.cancel()
      this.#done.resolve()
      return
    }
    const conflict = this.#revision?.conflict
    if (conflict !== undefined) this.#again(conflict)
    else if (this.#open.every(({ answer }) => answer !== undefined)) void this.#conclude()
    else if (this.#open.some(({ answer }) => answer !== undefined)) this.#wait()
  }

  #wait(): void {
    this.#grace ??= this.#environment.clock.setTimer(() => {
      this.#grace = undefined
      void this.#conclude()
    }, GRACE)
  }

  async #conclude(): Promise<void> {
    if (this.#checking || this.#revision === undefined) return
    this.#grace?.cancel()
    this.#grace = undefined
    this.#checking = true
    const revision = this.#revision
    const answered = this.#open.filter(({ answer }) => answer !== undefined)
    let moved: string | undefined
    try {
      await this.#environment.files.settled()
      moved = revision.conflict ?? revision.moved()
    } catch (error) {
      for (const request of answered) request.leave(error)
    }
    this.#checking = false
    if (moved === undefined) for (const request of answered) request.settle()
    else this.#again(moved)
    this.#check()
  }

  /**
   * Something moved: nothing that this revision came to is told. What it computes goes on, as it is kept with what it was computed from and
   * may serve the next one.
   */
  #again(moved: string): void {
    if (this.#revision === undefined) return
    this.#revision = undefined
    this.#environment.conflicted()
    if (this.#attempt < ATTEMPTS) {
      for (const request of this.#open) request.answer = undefined
      void this.#begin()
      return
    }
    for (const request of this.#open) request.leave(new UnsettledError(moved, ATTEMPTS))
  }
}
