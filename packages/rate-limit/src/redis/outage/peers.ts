import { randomUUID } from 'node:crypto'
import type { Clock, Timer } from '@millrace/kit'
import { type Reply, Script } from '../client/script.ts'
import { HEARTBEAT, type StoreGuard } from '../client/store-guard.ts'

/** How often a process has itself counted at first, and for how long, in ms: those that start together soon know of each other. */
const EAGER_HEARTBEAT = 100
const EAGER = 3_000

/** After so many ms without a call a process counts itself no more, so that a limiter that is dropped without being closed leaves nothing. */
const IDLE = 60_000

/** For how many ms a process counts after its last word, and the highest count after it was heard. */
const MEMORY = 3_000

/**
 * Enters a process among those that share a limit, a sorted set by the time of its last word, and counts them. Words from the
 * future were said before the server's clock was set back; what lives says another within a second.
 * Keys: peers. Arguments: process, us after which a silent one no longer counts. Answers { processes, time }.
 */
const countScript: Script = new Script(`
local memory = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - memory)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(memory / 1000))
return { redis.call('ZCARD', KEYS[1]), now }
`)

/** Takes a process out. Keys: peers. Arguments: process. */
const leaveScript: Script = new Script(`return { redis.call('ZREM', KEYS[1], ARGV[1]) }`)

export interface PeersOptions {
  /** As how many processes this one counts itself until it has heard of others. */
  readonly expected: number
  /** Hears what time it is where the key is, us, and when that was asked for, ms on the local clock. */
  heard(key: string, answer: { readonly now: number; readonly sent: number }): void
}

/**
 * The processes that share a limit, counted in the store while it is there: their number divides it when it is not. From its
 * first call on a process has itself counted whether it is called or not, for a minute after its last: an idle one may be called in an
 * outage too.
 */
export class Peers {
  readonly key: string
  readonly #identity = randomUUID()
  readonly #guard: StoreGuard
  readonly #clock: Clock
  readonly #options: PeersOptions
  /**
   * Counts of the last time, the latest last; none is dropped while none is heard, nor before three seconds in which every word was:
   * where a connection keeps breaking, those of others do too, and who is not counted has its share all the same.
   */
  readonly #heard: { readonly at: number; readonly count: number }[] = []
  /** When it was called first, and last. */
  #since: number | undefined = undefined
  #calledAt = 0
  #counting = false
  /** Whether the last word found no answer. */
  #missed = false
  #heartbeat: Timer | undefined = undefined
  #closed = false

  constructor(key: string, guard: StoreGuard, clock: Clock, options: PeersOptions) {
    this.key = key
    this.#guard = guard
    this.#clock = clock
    this.#options = options
  }

  /** As counted last; as expected before. */
  get counted(): number {
    return this.#heard.at(-1)?.count ?? this.#options.expected
  }

  /** The highest of the counts that were heard last, and of what was expected at first: too many cost rate, too few the bound. */
  get most(): number {
    let most = 0
    for (const heard of this.#heard) most = Math.max(most, heard.count)
    return most === 0 ? this.#options.expected : most
  }

  /** Has this process counted from now on. @returns the first count; undefined for later ones, which are made in the background */
  called(): Promise<void> | undefined {
    this.#calledAt = this.#clock.now()
    if (this.#counting || this.#closed) return undefined
    this.#counting = true
    const first = this.#since === undefined
    this.#since ??= this.#calledAt
    const counted = this.#say()
    return first ? counted : undefined
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#heartbeat?.cancel()
    if (this.#heard.length === 0) return
    // Unheard, it is no longer counted three seconds later.
    this.#guard.run(leaveScript, [this.key], [this.#identity]).catch(() => {})
  }

  async #say(): Promise<void> {
    const sent = this.#clock.now()
    const note = ([count, now]: Reply) => {
      this.#note(Number(count))
      this.#options.heard(this.key, { now: Number(now), sent })
    }
    try {
      // A late answer is as true.
      note(await this.#guard.run(countScript, [this.key], [this.#identity, MEMORY * 1_000], note))
    } catch {
      // Not counted this time; calls meet the same outage and deal with it.
      this.#missed = true
    }
    const now = this.#clock.now()
    if (this.#closed || now - this.#calledAt >= IDLE) {
      this.#counting = false
      return
    }
    const young = now - this.#since! < EAGER
    this.#heartbeat = this.#clock.setTimer(
      () => void this.#say(),
      young ? EAGER_HEARTBEAT : HEARTBEAT,
    )
  }

  #note(count: number): void {
    const now = this.#clock.now()
    const heard = this.#heard
    // Those that start together hear of each other one by one.
    if (heard.length === 0) heard.push({ at: now, count: this.#options.expected })
    else if (this.#missed) heard.splice(0, Infinity, { at: now, count: this.most })
    this.#missed = false
    while (heard.length > 0 && heard[0]!.at <= now - MEMORY) heard.shift()
    heard.push({ at: now, count })
  }
}
