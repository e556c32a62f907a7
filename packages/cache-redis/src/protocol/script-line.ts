import { monotonicClock } from '@millrace/kit'
import type { Call, CallFailure } from '../connection/call.ts'
import { isTraced, traced } from '../connection/channels.ts'
import { type Client, isCluster } from '../connection/client.ts'
import { ClientEvents } from '../connection/client-events.ts'
import type { Connection } from '../connection/connection.ts'
import { isReadOnly } from '../connection/read-only.ts'
import { type Answer, markOf, type ShardMark, timeOf } from './answer.ts'
import { APPLY_SOURCE } from './apply-source.ts'
import type { Shard } from './key-space.ts'
import { Script, type ScriptArgument } from './script.ts'
import { ShardPast } from './shard-past.ts'
import { TurnEnd } from './turn-end.ts'

const apply = new Script(APPLY_SOURCE)

/** Operations of one script call at most, so that it holds up the server for less than a millisecond or so. */
const MOST_OPERATIONS = 256
/** Bytes of one script call at which it is sent without waiting for more. */
const MANY_BYTES = 256 * 1024
/** Keys whose invalidation is remembered; a load that began before what was forgotten is refused. See INVALIDATION.md. */
const NOTES = 20_000
/** Tags whose invalidation is remembered; tagged values that are older than what was forgotten are gone. */
const TAGS = 100_000
/** Larger values are not returned by the script, which would hold up the server and the operations of the same call. */
const LARGE_VALUE: number = 1024 * 1024
/** ms by which the server's clock must be behind what it should show to count as set back: more than clocks drift within an hour. */
const SET_BACK = 2_000
/** ms after which a server is asked again which one it is: connections can outlive that it is a primary, or lead elsewhere. */
const KNOWN_FOR = 5_000
/** Position of the first result in a reply. */
const FIRST_RESULT = 3
/** Position in the arguments of what asks for the comparison of servers, or for a new life. */
const CHECK = 1
const COMPARE = '1'
const BEGIN = '2'

/** Position of what says whether values that are written must be read, too, as only reads are tracked. */
const TRACKED = 7
/** Position of what was seen of the shard. */
const SEEN = 8

/** An operation that waits to be sent or answered. */
interface Waiting {
  readonly name: string
  readonly keys: readonly string[]
  readonly args: readonly ScriptArgument[]
  /** How many results it has. */
  readonly count: number
  readonly signal: AbortSignal | undefined
  abort: (() => void) | undefined
  /** For how many it counts among those that wait. */
  weight: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
  settled: boolean
}

/** How a line makes itself known to the script. */
interface Signature {
  /** What its messages are signed with. */
  readonly sender: string
  /** How values are named: 0 if it names none, 1 by their keys, 2 by hashes of them. */
  readonly layout: 0 | 1 | 2
}

/** A call that gathers operations. */
interface NextCall {
  readonly call: Call<unknown>
  readonly operations: Waiting[]
  /** Of results. */
  count: number
}

/**
 * The operations on one shard: all those of one turn of the event loop travel in one script call, in their order, and take effect
 * together.
 */
export class ScriptLine {
  readonly shard: Shard
  readonly #connection: Connection
  readonly #head: readonly ScriptArgument[]
  readonly #turn: TurnEnd
  /** The call that operations of this turn join. */
  #next: NextCall | undefined
  /** When the server was found to be the one that the journal was written on. */
  #verified = -Infinity
  /** Number of the session with the server. */
  #session = 0
  /** The server's time at the last reply, and the monotonic clock's: the server does not know of an injected one. */
  #serverTime = Number.NaN
  #replied = 0
  #past = new ShardPast()
  /** Whether the server's clock was found to have been set back. */
  #setBack = false
  mark: ShardMark = { incarnation: 0, epoch: 0 }
  /** Whether Redis is asked to tell of later changes of the values that operations concern, by `CLIENT TRACKING` with `OPTIN`. */
  tracked = false

  /** @param turn sends what was gathered */
  constructor(connection: Connection, turn: TurnEnd, shard: Shard, { sender, layout }: Signature) {
    this.#connection = connection
    this.#turn = turn
    this.shard = shard
    this.#head = [0, '', sender, NOTES, TAGS, LARGE_VALUE, layout, 0, '']
  }

  /**
   * Sends an operation with the others of this turn.
   *
   * @param count of its results
   * @param bytes that it sends, roughly
   * @throws as {@link Connection.admit} and {@link Connection.call}, and the signal's reason
   */
  submit(
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
    count: number,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<Answer> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (!isTraced()) return this.#submit(name, keys, args, count, bytes, signal)
    return traced(name, keys.length, () => this.#submit(name, keys, args, count, bytes, signal))
  }

  /** Forgets that the server is known: a connection was lost or made. */
  endSession(): void {
    this.#session++
    this.#verified = -Infinity
  }

  /** What a message of others has said of the shard. */
  learn(message: Parameters<ShardPast['told']>[0]): void {
    this.#past = this.#past.told(message)
  }

  /** Whether there was a reply that said what time it is for the server: this machine's clock may say anything. */
  get hasTime(): boolean {
    return !Number.isNaN(this.#serverTime)
  }

  /** The server's time in ms, estimated: not later than it is as long as the clocks run at one speed. NaN before the first reply. */
  serverTime(): number {
    return this.#estimate(monotonicClock.now())
  }

  #estimate(now: number): number {
    return this.#serverTime + now - this.#replied
  }

  #submit(
    name: string,
    keys: readonly string[],
    args: readonly ScriptArgument[],
    count: number,
    bytes: number,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const open = { abort: undefined, weight: 0, settled: false }
      this.#join({ name, keys, args, count, signal, resolve, reject, ...open }, bytes)
    })
  }

  #join(waiting: Waiting, bytes: number): void {
    const { name, count, signal } = waiting
    waiting.weight = this.#connection.enter(name)
    if (signal !== undefined) {
      waiting.abort = () => {
        if (this.#settle(waiting)) waiting.reject(signal.reason)
      }
      signal.addEventListener('abort', waiting.abort)
    }
    if (this.#next !== undefined && this.#next.count + count > MOST_OPERATIONS) this.flush()
    const next = (this.#next ??= this.#begin())
    next.operations.push(waiting)
    next.count += count
    next.call.add(bytes)
    if (next.call.bytes >= MANY_BYTES || next.count >= MOST_OPERATIONS) this.flush()
  }

  #begin(): NextCall {
    const operations: Waiting[] = []
    const call = this.#connection.begin<unknown>(errorOf => {
      if (this.#next?.call === call) this.#next = undefined
      this.#fail(operations, errorOf)
    })
    this.#turn.add(this)
    return { call, operations, count: 0 }
  }

  /** Sends what was gathered. */
  flush(): void {
    if (this.#next === undefined) return
    const { call, operations } = this.#next
    this.#next = undefined
    const { journal, recent } = this.shard
    const keys: string[] = [journal, recent]
    const args: ScriptArgument[] = this.#head.slice()
    const now = monotonicClock.now()
    args[0] = incarnation()
    if (this.#setBack) args[CHECK] = BEGIN
    else if (now - this.#verified >= KNOWN_FOR) args[CHECK] = COMPARE
    for (const waiting of operations) {
      for (const key of waiting.keys) keys.push(key)
      for (const arg of waiting.args) args.push(arg)
    }
    const session = this.#session
    const past = this.#past
    const least = this.#estimate(now) - SET_BACK
    const { tracked } = this
    args[TRACKED] = tracked ? 1 : 0
    args[SEEN] = past.text
    call.send(
      client => {
        if (tracked) optIn(client)
        return apply.run(client, keys, args, () => {
          args[CHECK] = COMPARE
          // The first one was for the call before.
          if (tracked) optIn(client)
        })
      },
      reply => {
        this.#setBack = args[CHECK] !== BEGIN && (reply as number[])[2]! / 1_000 < least
        this.#answer(operations, reply as readonly unknown[], past)
        if (args[CHECK] === COMPARE && session === this.#session) this.#verified = this.#replied
      },
    )
  }

  #answer(calls: readonly Waiting[], reply: readonly unknown[], past: ShardPast): void {
    this.mark = markOf({ reply })
    this.#past = this.#past.with(this.mark, past)
    this.#serverTime = timeOf({ reply })
    this.#replied = monotonicClock.now()
    let from = FIRST_RESULT
    for (const waiting of calls) {
      if (this.#settle(waiting)) waiting.resolve({ reply, from })
      from += waiting.count
    }
  }

  #fail(calls: readonly Waiting[], errorOf: (operation: string) => CallFailure): void {
    for (const waiting of calls) {
      const error = errorOf(waiting.name)
      if (isReadOnly(error.cause)) this.endSession()
      if (this.#settle(waiting)) waiting.reject(error)
    }
  }

  /** Whether the operation had not come to an end before. */
  #settle(waiting: Waiting): boolean {
    if (waiting.settled) return false
    waiting.settled = true
    this.#connection.wait(-waiting.weight)
    if (waiting.abort !== undefined) waiting.signal!.removeEventListener('abort', waiting.abort)
    return true
  }
}

/** Lines to all shards, which hear of lost connections. */
export class ScriptLines {
  readonly all: readonly ScriptLine[]
  readonly client: Client
  readonly #events: readonly string[]
  readonly #endSession = (): void => {
    for (const line of this.all) line.endSession()
  }

  constructor(connection: Connection, shards: readonly Shard[], signature: Signature) {
    this.client = connection.client
    const turn = new TurnEnd(this.client)
    this.all = shards.map(shard => new ScriptLine(connection, turn, shard, signature))
    this.#events = isCluster(this.client) ? ['close', '+node', '-node', 'node error'] : ['close']
    const events = ClientEvents.of(this.client)
    for (const event of this.#events) events.on(event, this.#endSession)
  }

  of(shard: Shard): ScriptLine {
    return this.all[shard.index]!
  }

  close(): void {
    const events = ClientEvents.of(this.client)
    for (const event of this.#events) events.off(event, this.#endSession)
  }
}

/** Has the next command's reads tracked. In the same write, so that it costs no trip. */
function optIn(client: Client): void {
  // Refused while tracking is off, as after a reconnection: after it is switched on again nothing from before is trusted.
  client.call('CLIENT', 'CACHING', 'YES').catch(() => undefined)
}

/** A number that no other journal had: 32 random bits, not 0. */
function incarnation(): number {
  return 1 + Math.floor(Math.random() * 0xffff_fffe)
}
