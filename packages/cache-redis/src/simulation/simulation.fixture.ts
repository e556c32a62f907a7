import { seededRandom } from '@millrace/testkit'
import {
  applyModel,
  type ModelMessage,
  type ModelOperation,
  type ModelRead,
  ModelServer,
} from './model-shard.fixture.ts'
import {
  type Change,
  concerned,
  KEYS,
  missed,
  Process,
  type Request,
  TAGS,
} from './simulated-process.fixture.ts'

/** Parts of the protocol that a simulation leaves out, to see that it finds what they are for. */
export interface Omissions {
  /** Servers are not told apart. */
  readonly node?: boolean
  /** Incarnations are not told apart: every journal has the same number. */
  readonly incarnation?: boolean
  /** Loads are stored without a fence. */
  readonly fence?: boolean
  /** Missing messages are not noticed. */
  readonly trail?: boolean
  /** Failed invalidations are not repeated. */
  readonly recovery?: boolean
}

const PROCESSES = 3
/** A change that is a write. */
const WRITING = Infinity

/**
 * The protocol as steps that a seed puts in order: requests and replies travel and get lost, messages too, the server evicts, forgets and
 * fails over to a replica that lags behind. Throws at the first value that is older than the protocol allows.
 */
export class Simulation {
  readonly #random: () => number
  readonly #omit: Omissions
  #server = new ModelServer()
  #replica = new ModelServer()
  readonly #processes = Array.from({ length: PROCESSES }, () => new Process())
  #requests: Request[] = []
  readonly #replies: (() => void)[] = []
  /** What the source holds. */
  readonly #source = new Map<string, number>(KEYS.map(key => [key, 0]))
  /** Changes of a key that are under way. */
  readonly #changing = new Map<string, number>()
  /** The newest version of which an invalidation was acknowledged. */
  readonly #acknowledged = new Map<string, number>()
  /** What happened: losses, and calls with the epoch at which they ended. */
  readonly #trace: (string | readonly [readonly ModelOperation[], number])[] = []
  #born = 0
  reads = 0
  hits = 0

  constructor(seed: number, omit: Omissions = {}) {
    this.#random = seededRandom(seed)
    this.#omit = omit
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) this.#step()
    this.#settle()
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!
  }

  #step(): void {
    const dice = this.#random()
    if (dice < 0.3) this.#execute()
    else if (dice < 0.55) this.#reply()
    else if (dice < 0.67) this.#read(this.#pick(this.#processes), this.#pick(KEYS))
    else if (dice < 0.77) this.#change(this.#pick(this.#processes))
    else if (dice < 0.85) this.#receive(this.#pick(this.#processes))
    else if (dice < 0.87) this.#loseRequest()
    else if (dice < 0.885) this.#pick(this.#processes).inbox.shift()
    else if (dice < 0.91) this.#recover(this.#pick(this.#processes))
    else if (dice < 0.93) this.#compare(this.#pick(this.#processes))
    else if (dice < 0.97) this.#replica = this.#server.copy()
    else this.#forget()
    // Clocks of servers move, and may be set.
    this.#server.now = Math.max(1, this.#server.now + (this.#random() < 0.02 ? -50 : 1))
  }

  #forget(): void {
    const server = this.#server
    const dice = this.#random()
    this.#trace.push('forget')
    if (dice < 0.2) server.journal = undefined
    else if (dice < 0.4) server.recent = undefined
    else if (dice < 0.6) server.values.delete(this.#pick(KEYS))
    else if (dice < 0.7) {
      server.journal = undefined
      server.recent = undefined
      server.values.clear()
    } else {
      // What the replica has not got is lost, and so is what was on its way.
      const { node } = this.#server
      this.#server = this.#replica.copy()
      this.#server.node = node + 1
      for (const process of this.#processes) process.verified = false
      for (const request of this.#requests) request.failed()
      this.#requests = []
    }
  }

  #send(request: Request): void {
    this.#requests.push(request)
  }

  #execute(): void {
    if (this.#requests.length === 0) return
    // Connections keep their order, and processes have one each.
    const request = this.#pick(this.#requests)
    const first = this.#requests.find(({ process }) => process === request.process)!
    this.#requests.splice(this.#requests.indexOf(first), 1)
    const { process, operations, done, failed } = first
    const check = !process.verified && this.#omit.node !== true
    const reply = applyModel(this.#server, operations, this.#bear(), check)
    process.verified = true
    if (reply.message !== undefined) {
      for (const each of this.#processes) each.inbox.push(reply.message)
    }
    this.#trace.push([operations, reply.epoch])
    const lost = this.#random() < 0.08
    this.#replies.push(lost ? failed : () => done(reply))
  }

  /** Number of a new journal. */
  #bear(): number {
    return this.#omit.incarnation === true ? 1 : ++this.#born
  }

  #reply(): void {
    if (this.#replies.length === 0) return
    const index = Math.floor(this.#random() * this.#replies.length)
    this.#replies.splice(index, 1)[0]!()
  }

  #loseRequest(): void {
    if (this.#requests.length === 0) return
    const index = Math.floor(this.#random() * this.#requests.length)
    this.#requests.splice(index, 1)[0]!.failed()
  }

  #assert(where: string, key: string, value: number, least: number): void {
    if (value >= least) return
    const last = this.#trace
      .slice(-60)
      .map(each =>
        typeof each === 'string' ? each : `${each[0].map(({ code }) => code).join('')}@${each[1]}`,
      )
    throw new Error(`${where} served ${key} at ${value}, older than ${least}: ${last.join(' ')}`)
  }

  #read(process: Process, key: string): void {
    this.reads++
    const held = process.l1.get(key)
    if (held !== undefined) {
      this.#assert('L1', key, held, process.seen.get(key) ?? 0)
      return
    }
    const least = this.#acknowledged.get(key) ?? 0
    const outdated = process.outdated.get(key) ?? 0
    const keep = (value: number) => {
      if ((process.outdated.get(key) ?? 0) === outdated) process.l1.set(key, value)
    }
    this.#send({
      process,
      operations: [{ code: 'g', key }],
      failed: () => undefined,
      done: ({ results, incarnation, epoch }) => {
        const found = results[0] as ModelRead
        if (found !== undefined && !found.stale && !this.#doubts(process, key)) {
          this.hits++
          this.#assert('The store', key, found.payload, least)
          keep(found.payload)
          return
        }
        const value = this.#source.get(key)!
        const fence = this.#omit.fence === true ? undefined : { incarnation, epoch }
        this.#send({
          process,
          operations: [
            { code: 's', key, payload: value, tags: TAGS[key]!, fence, deadline: Infinity },
          ],
          failed: () => undefined,
          done: reply => {
            if (reply.results[0] === 1) keep(value)
          },
        })
      },
    })
  }

  /** Whether an invalidation of the key has failed, so that the store is not believed. */
  #doubts(process: Process, key: string): boolean {
    return this.#omit.recovery !== true && process.failed.some(({ made }) => made.has(key))
  }

  #change(process: Process): void {
    const key = this.#pick(KEYS)
    const underWay = this.#changing.get(key) ?? 0
    // Who writes is the only one who changes the key meanwhile: which of two values is the newer one no cache can know.
    if (underWay === WRITING) return
    const version = this.#source.get(key)! + 1
    const operation = this.#pick<ModelOperation>([
      { code: 'd', key },
      { code: 'x', key },
      { code: 's', key, payload: version, tags: TAGS[key]!, deadline: Infinity },
      { code: 'C' },
      { code: 'E' },
      ...TAGS[key]!.flatMap(tag => [{ code: 'D', tag } as const, { code: 'X', tag } as const]),
    ])
    if (operation.code === 's' && underWay !== 0) return
    this.#changing.set(key, operation.code === 's' ? WRITING : underWay + 1)
    const made = new Map([[key, version]])
    this.#source.set(key, version)
    this.#tell(process, { operation, made })
  }

  #tell(process: Process, change: Change): void {
    const { operation, made } = change
    const keys = concerned(operation)
    process.drop(keys)
    // From when it has ended, however that was, this process knows better.
    const end = () => {
      process.drop(keys)
      for (const [key, version] of made) raise(process.seen, key, version)
    }
    this.#send({
      process,
      operations: [operation],
      failed: () => {
        this.#changed(made)
        if (this.#omit.recovery !== true) end()
        // A write that was not confirmed is a delete that was not.
        const repeated: ModelOperation =
          operation.code === 's' ? { code: 'd', key: operation.key } : operation
        process.failed.push({ operation: repeated, made })
      },
      done: () => {
        this.#changed(made)
        end()
        for (const [key, version] of made) raise(this.#acknowledged, key, version)
      },
    })
  }

  #changed(made: ReadonlyMap<string, number>): void {
    for (const key of made.keys()) {
      const underWay = this.#changing.get(key)!
      this.#changing.set(key, underWay === WRITING ? 0 : underWay - 1)
    }
  }

  #recover(process: Process): void {
    if (this.#omit.recovery === true) return
    const change = process.failed[0]
    if (change === undefined) return
    this.#send({
      process,
      operations: [change.operation],
      failed: () => undefined,
      done: () => {
        process.failed.splice(process.failed.indexOf(change) >>> 0, 1)
        for (const [key, version] of change.made) raise(this.#acknowledged, key, version)
      },
    })
  }

  #receive(process: Process): void {
    const message = process.inbox.shift()
    if (message === undefined) return
    const since = process.trail.mark
    const kept = process.trail.follow({ ...message, sender: '', invalidations: [] })
    if (!kept && this.#omit.trail !== true) this.#ask(process, since, () => undefined)
    for (const operation of message.told) process.drop(concerned(operation))
  }

  #compare(process: Process): void {
    this.#ask(process, process.trail.mark, mark => {
      if (process.trail.jump(mark) || this.#omit.trail === true) return []
      return undefined
    })
  }

  /**
   * Asks what was told since a mark, and drops it.
   *
   * @param judge which keys to drop instead, if it knows
   */
  #ask(
    process: Process,
    { incarnation, epoch }: Mark,
    judge: (mark: Mark) => readonly string[] | undefined,
  ): void {
    this.#send({
      process,
      operations: [{ code: 'm', since: epoch, incarnation }],
      failed: () => process.drop(KEYS),
      done: reply => process.drop(judge(reply) ?? missed(reply.results[0])),
    })
  }

  #quiet(): boolean {
    const repeated = this.#omit.recovery === true
    return this.#processes.every(
      ({ failed, inbox }) => inbox.length === 0 && (repeated || failed.length === 0),
    )
  }

  /** Everything arrives that is on its way, and everything is repeated that failed; then nothing old may be left. */
  #settle(): void {
    for (let round = 0; round < 1_000; round++) {
      for (const process of this.#processes) {
        if (this.#requests.length + this.#replies.length === 0) this.#recover(process)
        if (process.inbox.length > 0) this.#receive(process)
      }
      if (this.#requests.length > 0) this.#execute()
      else if (this.#replies.length > 0) this.#reply()
      else if (this.#quiet()) break
    }
    for (const process of this.#processes) {
      const { incarnation, epoch } = process.trail.mark
      const ask = [{ code: 'm', since: epoch, incarnation }] as const
      const reply = applyModel(this.#server, ask, this.#bear(), this.#omit.node !== true)
      if (process.trail.jump(reply) || this.#omit.trail === true) continue
      process.drop(missed(reply.results[0]))
    }
    for (const key of KEYS) {
      const least = this.#source.get(key)!
      for (const process of this.#processes) {
        const held = process.l1.get(key)
        if (held !== undefined) this.#assert('In the end L1', key, held, least)
      }
      const { results } = applyModel(this.#server, [{ code: 'g', key }], this.#bear(), false)
      const found = results[0] as ModelRead
      if (found !== undefined && !found.stale) {
        this.#assert('In the end the store', key, found.payload, least)
      }
    }
  }
}

/** How far a shard was. */
type Mark = Pick<ModelMessage, 'incarnation' | 'epoch'>

function raise(map: Map<string, number>, key: string, version: number): void {
  if ((map.get(key) ?? 0) < version) map.set(key, version)
}
