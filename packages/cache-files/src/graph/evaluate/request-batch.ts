import type { Clock, Timer } from '@millrace/cache-core'
import { setAwaitedTimer } from '@millrace/kit'
import { GraphClosedError, isStarved, UnsettledError } from '../../errors.ts'
import type { FileTable } from '../../table/file-table.ts'
import type { GraphNode } from '../trace/graph-node.ts'
import type { Asker, Evaluator } from './evaluator.ts'
import type { Flight, Look, Waiter } from './flight.ts'
import type { QueryRun } from './query-run.ts'

/** How many consistent looks are tried before a call gives up. */
const ATTEMPTS = 5
/** ms for which an answer waits for others of its batch at least, to be checked with them. */
const GRACE = 5
/** How many times as long as the last check took an answer waits, so that checks take a small part of the time. */
const GRACE_PER_CHECK = 10
/** Part of the time since the look began for which an answer waits, so that a long look is checked few times. */
const GRACE_PER_LOOK = 1 / 2
/** ms after which a look that was short of descriptors is taken anew. */
const STARVED_DELAY = 20

/** One call of `graph.get`. */
export class GraphRequest implements Asker {
  readonly node: GraphNode
  readonly #resolve: (value: unknown) => void
  readonly #reject: (error: unknown) => void
  readonly waiters: Set<Waiter> = new Set()
  readonly caller: Flight | undefined
  readonly #callEnded: (() => void) | undefined
  gone = false
  /** Called when it is answered, or left. */
  ended: (() => void) | undefined
  /** What it came to in the present revision. */
  answer: PromiseSettledResult<unknown> | undefined

  constructor(
    node: GraphNode,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    caller: QueryRun | undefined,
  ) {
    this.node = node
    this.#resolve = resolve
    this.#reject = reject
    this.caller = caller?.flight
    this.#callEnded = caller?.calls(this)
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
    this.#callEnded?.()
    this.ended?.()
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
  /** Requests that are not ended. */
  #left: number
  /** Requests for whose answer the present revision is still at work. */
  #working = 0
  /** Requests that have an answer in the present revision, which is to be checked. */
  #answered: GraphRequest[] = []
  #revision: Look | undefined
  #grace: Timer | undefined
  /** ms. */
  #lastCheck = 0
  #checking = false
  #attempt = 0
  /** When a look was short of descriptors first. */
  #starvedSince: number | undefined
  readonly #done = Promise.withResolvers<void>()

  constructor(environment: BatchEnvironment, requests: readonly GraphRequest[]) {
    this.#environment = environment
    this.#open = [...requests]
    this.#left = requests.length
    for (const request of requests) request.ended = () => this.#ended()
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
      this.#open = this.#open.filter(({ gone }) => !gone)
      this.#working = this.#open.length
      for (const request of this.#open) {
        const answer = readyAnswer(evaluator, request.node, revision)
        if (answer !== undefined) this.#note(request, answer)
        else this.#await(request, evaluator.demand(request.node, revision, request), revision)
      }
      if (this.#answered.length > 0) this.#check()
    } catch (error) {
      if (isStarved(error) && this.#later()) return
      for (const request of this.#open) request.leave(error)
    }
  }

  #await(request: GraphRequest, demand: Promise<unknown>, revision: Look): void {
    const settle = (answer: PromiseSettledResult<unknown>): void => {
      if (this.#revision !== revision) return
      this.#note(request, answer)
      this.#check()
    }
    demand.then(
      value => settle({ status: 'fulfilled', value }),
      reason => settle({ status: 'rejected', reason }),
    )
  }

  #note(request: GraphRequest, answer: PromiseSettledResult<unknown>): void {
    request.answer = answer
    this.#answered.push(request)
    this.#working--
  }

  #ended(): void {
    if (--this.#left > 0) return
    this.#grace?.cancel()
    this.#done.resolve()
  }

  /** Looks whether answers can be given now, or soon. */
  #check(): void {
    const { conflict, starved = false } = this.#revision ?? {}
    if (this.#left === 0 || this.#checking) return
    if (starved && this.#later()) return
    if (conflict !== undefined) this.#again(conflict)
    else if (this.#working === 0) void this.#conclude()
    else this.#wait()
  }

  #wait(): void {
    const elapsed = this.#environment.clock.now() - this.startedAt
    const grace = Math.max(
      GRACE,
      GRACE_PER_CHECK * this.#lastCheck,
      GRACE_PER_LOOK * Math.max(0, elapsed),
    )
    const conclude = (): void => {
      this.#grace = undefined
      void this.#conclude()
    }
    this.#grace ??= setAwaitedTimer(this.#environment.clock, conclude, grace)
  }

  async #conclude(): Promise<void> {
    const revision = this.#revision
    if (this.#checking || revision === undefined || this.#left === 0) return
    const { files, clock } = this.#environment
    this.#grace?.cancel()
    this.#grace = undefined
    this.#checking = true
    const answered = this.#answered
    this.#answered = []
    let moved: string | undefined
    try {
      await files.settled()
      const begun = clock.now()
      moved = revision.conflict ?? revision.moved()
      this.#lastCheck = clock.now() - begun
    } catch (error) {
      for (const request of answered) request.leave(error)
    }
    this.#checking = false
    if (moved !== undefined) {
      if (!revision.starved || !this.#later()) this.#again(moved)
    } else for (const request of answered) request.settle()
    if (this.#answered.length > 0) this.#check()
  }

  /**
   * Something moved: nothing that this revision came to is told. What it computes goes on, as it is kept with what it was computed from and
   * may serve the next one.
   */
  #again(moved: string): void {
    if (this.#revision === undefined) return
    this.#drop()
    this.#environment.conflicted()
    if (this.#attempt < ATTEMPTS) {
      void this.#begin()
      return
    }
    for (const request of this.#open) request.leave(new UnsettledError(moved, ATTEMPTS))
  }

  /**
   * The look is taken anew in a while, as it was short of descriptors. Not where it has been for as long as a call may wait: then its answers
   * are given, errors among them.
   *
   * @returns whether it will be
   */
  #later(): boolean {
    const { clock, files } = this.#environment
    const now = clock.now()
    this.#starvedSince ??= now
    const left = this.#starvedSince + files.openTimeout - now
    if (left <= 0) return false
    this.#drop()
    this.#attempt--
    this.#grace?.cancel()
    const begin = (): void => {
      this.#grace = undefined
      void this.#begin()
    }
    this.#grace = setAwaitedTimer(clock, begin, Math.min(STARVED_DELAY, left))
    return true
  }

  /** Gives the revision up, with the answers it has so far. */
  #drop(): void {
    this.#revision = undefined
    this.#answered = []
    for (const request of this.#open) request.answer = undefined
  }
}

/** The answer of a node that can be told without waiting. */
function readyAnswer(
  evaluator: Evaluator,
  node: GraphNode,
  revision: Look,
): PromiseSettledResult<unknown> | undefined {
  try {
    const outcome = evaluator.ready(node, revision)
    return outcome && { status: 'fulfilled', value: outcome.held!.value }
  } catch (reason) {
    return { status: 'rejected', reason }
  }
}
