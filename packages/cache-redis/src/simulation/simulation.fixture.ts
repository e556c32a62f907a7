import { seededRandom } from '@millrace/testkit'
import type { ShardMark } from '../protocol/answer.ts'
import { ShardPast } from '../protocol/shard-past.ts'
import type { ModelOperation, ModelRead } from './model-shard.fixture.ts'
import { type Change, concerned, KEYS, missed, Process, TAGS } from './simulated-process.fixture.ts'
import { type Omissions, raise, SimulatedRedis, type Versions } from './simulated-redis.fixture.ts'

const PROCESSES = 3
/** A change that is a write. */
const WRITING = Infinity
const NO_PAST = new ShardPast()

/**
 * The protocol as steps that a seed puts in order: requests and replies travel and get lost, messages too, the server evicts, forgets and
 * fails over to a replica that lags behind; with odd seeds an older state is put back under open connections. Throws at the first value
 * that is older than the protocol allows.
 */
export class Simulation {
  readonly #random: () => number
  readonly #omit: Omissions
  readonly #processes = Array.from({ length: PROCESSES }, () => new Process())
  readonly #redis: SimulatedRedis
  /** What the source holds. */
  readonly #source = new Map<string, number>(KEYS.map(key => [key, 0]))
  /** Changes of a key that are under way. */
  readonly #changing = new Map<string, number>()
  reads = 0
  hits = 0

  constructor(seed: number, omit: Omissions = {}) {
    this.#random = seededRandom(seed)
    this.#omit = omit
    this.#redis = new SimulatedRedis(this.#random, omit, this.#processes, seed % 2 === 1)
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
    if (dice < 0.3) this.#redis.execute()
    else if (dice < 0.55) this.#redis.reply()
    else if (dice < 0.67) this.#read(this.#pick(this.#processes), this.#pick(KEYS))
    else if (dice < 0.77) this.#change(this.#pick(this.#processes))
    else if (dice < 0.85) this.#receive(this.#pick(this.#processes))
    else if (dice < 0.87) this.#redis.loseRequest()
    else if (dice < 0.885) this.#pick(this.#processes).inbox.shift()
    else if (dice < 0.91) this.#recover(this.#pick(this.#processes))
    else if (dice < 0.93) this.#compare(this.#pick(this.#processes))
    else if (dice < 0.97) this.#redis.save()
    else this.#redis.forget()
    this.#redis.tick()
  }

  #assert(where: string, key: string, value: number, least: number): void {
    if (value >= least) return
    throw new Error(
      `${where} served ${key} at ${value}, older than ${least}: ${this.#redis.trace()}`,
    )
  }

  #read(process: Process, key: string): void {
    this.reads++
    const held = process.l1.get(key)
    if (held !== undefined) {
      this.#assert('L1', key, held, process.seen.get(key) ?? 0)
      return
    }
    const least = this.#redis.least(key, process)
    const outdated = process.outdated.get(key) ?? 0
    const keep = (value: number) => {
      if ((process.outdated.get(key) ?? 0) === outdated) process.l1.set(key, value)
    }
    this.#redis.send({
      process,
      operations: [{ code: 'g', key }],
      failed: () => undefined,
      done: ({ results, incarnation, epoch }) => {
        const found = results[0] as ModelRead
        if (found !== undefined && !found.stale && !this.#doubts(process, key)) {
          this.hits++
          this.#assert('The store', key, found.payload, least())
          keep(found.payload)
          return
        }
        const value = this.#source.get(key)!
        const fence = this.#omit.fence === true ? undefined : { incarnation, epoch }
        this.#redis.send({
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
    this.#redis.send({
      process,
      operations: [operation],
      made,
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
        this.#redis.acknowledge(made)
      },
    })
  }

  #changed(made: Versions): void {
    for (const key of made.keys()) {
      const underWay = this.#changing.get(key)!
      this.#changing.set(key, underWay === WRITING ? 0 : underWay - 1)
    }
  }

  #recover(process: Process): void {
    if (this.#omit.recovery === true) return
    const change = process.failed[0]
    if (change === undefined) return
    const { operation, made } = change
    this.#redis.send({
      process,
      operations: [operation],
      made,
      failed: () => undefined,
      done: () => {
        process.failed.splice(process.failed.indexOf(change) >>> 0, 1)
        this.#redis.acknowledge(made)
      },
    })
  }

  #receive(process: Process): void {
    const message = process.inbox.shift()
    if (message === undefined) return
    process.learn(process.past.told(message), message, message.known)
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
    { incarnation, epoch }: ShardMark,
    judge: (mark: ShardMark) => readonly string[] | undefined,
  ): void {
    this.#redis.send({
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
        if (this.#redis.pending === 0) this.#recover(process)
        if (process.inbox.length > 0) this.#receive(process)
      }
      if (this.#redis.pending === 0 && this.#quiet()) break
      this.#redis.execute()
      this.#redis.reply()
      this.#redis.tick()
    }
    // Twice, as another process may know better.
    for (const process of [...this.#processes, ...this.#processes]) this.#catchUp(process)
    for (const key of KEYS) {
      const least = this.#source.get(key)!
      for (const process of this.#processes) {
        const held = process.l1.get(key)
        if (held !== undefined) this.#assert('In the end L1', key, held, least)
      }
      const { results } = this.#redis.call([{ code: 'g', key }], NO_PAST, false)
      const found = results[0] as ModelRead
      if (found !== undefined && !found.stale) {
        this.#assert('In the end the store', key, found.payload, least)
      }
    }
  }

  /** A beat of the bus that nothing befalls. */
  #catchUp(process: Process): void {
    const { incarnation, epoch } = process.trail.mark
    const past = this.#omit.past === true ? NO_PAST : process.past
    const ask = [{ code: 'm', since: epoch, incarnation }] as const
    const reply = this.#redis.call(ask, past, this.#omit.node !== true)
    process.learn(process.past.with(reply, past), reply, new Map())
    if (process.trail.jump(reply) || this.#omit.trail === true) return
    process.drop(missed(reply.results[0]))
  }
}
