import type { ShardMark } from '../protocol/answer.ts'
import { ShardPast } from '../protocol/shard-past.ts'
import {
  applyModel,
  type ModelOperation,
  type ModelReply,
  ModelServer,
} from './model-shard.fixture.ts'
import { KEYS, type Process } from './simulated-process.fixture.ts'

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
  /** Calls do not say what their process has seen. */
  readonly past?: boolean
  /** What a process has seen counts only if it is later than the present, not if it is none of its past. */
  readonly fork?: boolean
}

/** Versions of the source by key. */
export type Versions = ReadonlyMap<string, number>

/** A call on its way to the server, or its reply on the way back. */
export interface Request {
  readonly process: Process
  readonly operations: readonly ModelOperation[]
  /** Versions of the source that made it necessary. */
  readonly made?: Versions | undefined
  readonly done: (reply: ModelReply) => void
  readonly failed: () => void
}

/** A request with what its process knew when it was sent. */
interface Sent extends Request {
  readonly past: ShardPast
}

/** What a server holds, and the newest versions whose invalidations it has carried out on the way there. */
interface State {
  readonly server: ModelServer
  readonly done: Map<string, number>
}

const NO_PAST = new ShardPast()

/** A server, its lagging replica and its network, which lose and delay whatever they may. */
export class SimulatedRedis {
  readonly #random: () => number
  readonly #omit: Omissions
  readonly #processes: readonly Process[]
  /** Whether older states are put back, but neither are clocks set back nor notes lost then: both together cannot be told. */
  readonly #putsBack: boolean
  #state: State = { server: new ModelServer(), done: new Map() }
  /** What the replica has, or a backup. */
  #older: State = copyOf(this.#state)
  #requests: Sent[] = []
  readonly #replies: (() => void)[] = []
  /** The newest versions of which an invalidation was acknowledged and not undone by an older state. */
  readonly #acknowledged = new Map<string, number>()
  /** What happened: losses, and calls with the epoch at which they ended. */
  readonly #trace: (string | readonly [readonly ModelOperation[], number])[] = []
  #born = 0
  #putBacks = 0

  constructor(
    random: () => number,
    omit: Omissions,
    processes: readonly Process[],
    putsBack: boolean,
  ) {
    this.#random = random
    this.#omit = omit
    this.#processes = processes
    this.#putsBack = putsBack
  }

  /** Calls and replies under way. */
  get pending(): number {
    return this.#requests.length + this.#replies.length
  }

  get server(): ModelServer {
    return this.#state.server
  }

  /** The oldest version that a process may be served which asks now, as it turns out when it is served. */
  least(key: string, process: Process): () => number {
    const told = process.told.get(key) ?? 0
    const acknowledged = this.#acknowledged.get(key) ?? 0
    const putBacks = this.#putBacks
    // What was undone meanwhile only those know who were told.
    return () => (putBacks === this.#putBacks ? Math.max(told, acknowledged) : told)
  }

  acknowledge(made: Versions): void {
    for (const [key, version] of made) {
      // Undone meanwhile: who was told of it knows.
      if (version <= (this.#state.done.get(key) ?? 0)) raise(this.#acknowledged, key, version)
    }
  }

  /** The last things that happened, for the report of a failure. */
  trace(): string {
    const told = this.#trace.slice(-60).map(each => {
      if (typeof each === 'string') return each
      return `${each[0].map(({ code }) => code).join('')}@${each[1]}`
    })
    return told.join(' ')
  }

  send(request: Request): void {
    const past = this.#omit.past === true ? NO_PAST : request.process.past
    this.#requests.push({ ...request, past })
  }

  /** One call reaches the server: of any process, but those of one in their order. */
  execute(): void {
    if (this.#requests.length === 0) return
    const request = this.#requests[Math.floor(this.#random() * this.#requests.length)]!
    const first = this.#requests.find(({ process }) => process === request.process)!
    this.#requests.splice(this.#requests.indexOf(first), 1)
    const { process, operations, made, past, failed } = first
    const reply = this.call(operations, past, !process.verified && this.#omit.node !== true)
    process.verified = true
    const { done } = this.#state
    for (const [key, version] of made ?? []) raise(done, key, version)
    const known = new Map(done)
    if (reply.message !== undefined) {
      for (const each of this.#processes) each.inbox.push({ ...reply.message, known })
    }
    this.#trace.push([operations, reply.epoch])
    const lost = this.#random() < 0.08
    this.#replies.push(lost ? failed : () => this.#arrive(first, reply, known))
  }

  /** What the server answers to who has that past. */
  call(operations: readonly ModelOperation[], past: ShardPast, compare: boolean): ModelReply {
    const born = this.#omit.incarnation === true ? 1 : ++this.#born
    const check = compare ? 'compare' : undefined
    return applyModel(this.server, operations, { born, check, seen: this.#seen(past) })
  }

  #seen({ marks }: ShardPast): readonly ShardMark[] {
    if (this.#omit.fork !== true) return marks
    const present = this.server.journal?.get('#epoch') ?? 0
    return marks.filter(({ epoch }) => epoch > present)
  }

  /** One reply reaches its process. */
  reply(): void {
    if (this.#replies.length === 0) return
    const index = Math.floor(this.#random() * this.#replies.length)
    this.#replies.splice(index, 1)[0]!()
  }

  #arrive(request: Sent, reply: ModelReply, known: Versions): void {
    const { process, past, done } = request
    process.learn(process.past.with(reply, past), reply, known)
    done(reply)
  }

  loseRequest(): void {
    if (this.#requests.length === 0) return
    const index = Math.floor(this.#random() * this.#requests.length)
    this.#requests.splice(index, 1)[0]!.failed()
  }

  /** The replica catches up. */
  save(): void {
    this.#older = copyOf(this.#state)
  }

  /** Clocks of servers move, and may be set. Where older states are put back they move fast, so that no two pasts have one version. */
  tick(): void {
    const step = this.#putsBack ? 5 : this.#random() < 0.02 ? -50 : 1
    this.server.now = Math.max(1, this.server.now + step)
  }

  /** The server loses something. */
  forget(): void {
    const { server } = this
    const dice = this.#random()
    this.#trace.push('forget')
    if (dice < 0.2) server.journal = undefined
    else if (dice < 0.4) this.#loseNotes()
    else if (dice < 0.6) server.values.delete(KEYS[Math.floor(this.#random() * KEYS.length)]!)
    else if (dice < 0.7) {
      server.journal = undefined
      server.recent = undefined
      server.values.clear()
    } else if (this.#putsBack && dice < 0.9) this.#putBack()
    else this.#failOver()
  }

  #loseNotes(): void {
    if (this.#putsBack) this.#putBack()
    else this.server.recent = undefined
  }

  /** Swaps what it holds with an older state, under open connections: nobody is told, and nothing under way is lost. */
  #putBack(): void {
    this.#trace.push('put back')
    this.#putBacks++
    const { node, now } = this.server
    const present = this.#state
    this.#state = this.#older
    this.#older = present
    this.server.node = node
    this.server.now = now
    for (const [key, version] of this.#acknowledged) {
      this.#acknowledged.set(key, Math.min(version, this.#state.done.get(key) ?? 0))
    }
  }

  /** What the replica has not got is lost, and so is what was on its way. */
  #failOver(): void {
    const { node } = this.server
    // What was done and is lost is no excuse: the new primary begins a new life.
    this.#state = { server: this.#older.server.copy(), done: this.#state.done }
    this.server.node = node + 1
    for (const process of this.#processes) process.verified = false
    for (const request of this.#requests) request.failed()
    this.#requests = []
  }
}

/** Raises a version in a map to at least that. */
export function raise(map: Map<string, number>, key: string, version: number): void {
  if ((map.get(key) ?? 0) < version) map.set(key, version)
}

function copyOf({ server, done }: State): State {
  return { server: server.copy(), done: new Map(done) }
}
