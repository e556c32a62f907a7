import type { Clock } from '@millrace/kit'
import type { Script } from '../client/script.ts'
import type { StoreGuard } from '../client/store-guard.ts'
import type { StoreClocks } from '../clock/store-clocks.ts'
import type { StoreTimeline } from '../clock/store-timeline.ts'
import {
  adjustScript,
  debitScript,
  refundScript,
  reserveScript,
} from '../scripts/bucket-scripts.ts'

/** What this process knows of a bucket and the store must not forget: the last slot it was given, and how new that is. */
export interface BucketMark {
  /** The last slot, us of the server's clock; 0 for none. */
  slot: number
  /** When it is due, ms on the local clock. */
  due: number
  /** Writes of the bucket that are known. */
  writes: number
  /** Tokens that are being given back: what answers to earlier calls say of the last slot is before that. */
  returning: number
}

export function newMark(): BucketMark {
  return { slot: 0, due: 0, writes: 0, returning: 0 }
}

/** What the store says of a bucket. Times in ms. */
export interface BucketAnswer {
  /** Tokens reserved; -1 if they were refused. */
  readonly granted: number
  /** Until the first of them; below 0 for tokens that were saved up. */
  readonly first: number
  /** Until the last of them; if none were granted, until they could have been. */
  readonly wait: number
  /** Tokens left; below 0 when others have reserved ahead. */
  readonly available: number
  /** Of the bucket as it is: tokens it holds, ms per token. */
  readonly burst: number
  readonly interval: number
  /** For how long it lets nothing pass, whatever it holds. */
  readonly blocked: number
}

/** What to reserve. */
export interface Wish {
  readonly tokens: number
  /** Fewer than so many are of no use. */
  readonly least: number
  /** For how many ms ahead tokens are taken. */
  readonly near: number
  /** For how many ms ahead the least are. */
  readonly far: number
}

export interface BucketStoreOptions {
  readonly guard: StoreGuard
  readonly clock: Clock
  readonly clocks: StoreClocks
  readonly rate: number
  readonly burst: number
  /** For how many ms ahead other processes may have reserved. */
  reserved(): number
  /** Hears that other settings rule a bucket than this process has. */
  overruled(rate: number, burst: number): void
}

/** Token buckets in Redis: the scripts in ms and tokens instead of microseconds. One round trip per call. */
export class BucketStore {
  readonly #guard: StoreGuard
  readonly #clock: Clock
  /** Us per token. */
  readonly #interval: number
  readonly #burst: number
  readonly #overruled: (rate: number, burst: number) => void
  readonly #reserved: () => number
  readonly #clocks: StoreClocks

  constructor(options: BucketStoreOptions) {
    const { guard, clock, clocks, rate, burst, reserved, overruled } = options
    this.#guard = guard
    this.#clock = clock
    this.#clocks = clocks
    this.#interval = 1e6 / rate
    this.#burst = burst
    this.#reserved = reserved
    this.#overruled = overruled
  }

  /** @param late hears of tokens that were reserved when nothing waited for them any more */
  reserve(
    key: string,
    { tokens, least, near, far }: Wish,
    late: (granted: number) => void,
    mark?: BucketMark,
  ): Promise<BucketAnswer> {
    const args = [tokens, least, near * 1_000, far * 1_000]
    return this.#run(reserveScript, key, args, {
      mark,
      late: ({ granted }) => {
        if (granted > 0) late(granted)
      },
    })
  }

  refund(key: string, tokens: number, mark?: BucketMark): Promise<BucketAnswer> {
    if (mark !== undefined) {
      mark.slot = Math.max(0, mark.slot - tokens * this.#interval)
      mark.due -= (tokens * this.#interval) / 1_000
      mark.returning += tokens
    }
    return this.#run(refundScript, key, [tokens], { mark, returned: tokens })
  }

  /**
   * Enters what passed without the store, as far as the bucket holds it.
   *
   * @param late hears of what was entered when nothing waited for the answer any more
   * @returns how much was entered
   */
  async debit(key: string, tokens: number, late: (entered: number) => void): Promise<number> {
    const { granted } = await this.#run(debitScript, key, [tokens], {
      late: answer => late(answer.granted),
    })
    return granted
  }

  penalize(key: string, tokens: number): Promise<BucketAnswer> {
    return this.#run(adjustScript, key, ['penalize', tokens])
  }

  block(key: string, ms: number): Promise<BucketAnswer> {
    return this.#run(adjustScript, key, ['block', ms * 1_000])
  }

  reset(key: string): Promise<BucketAnswer> {
    return this.#run(adjustScript, key, ['reset', 0])
  }

  get(key: string): Promise<BucketAnswer> {
    return this.#run(adjustScript, key, ['get', 0])
  }

  async #run(
    script: Script,
    key: string,
    rest: readonly (string | number)[],
    { mark, late, returned = 0 }: BucketCallOptions = {},
  ): Promise<BucketAnswer> {
    try {
      const guard = this.#guard
      const timeline = this.#clocks.known(guard, key) ?? (await this.#clocks.meet(guard, key))
      const sent = this.#clock.now()
      const { slot, due, writes } = mark ?? NO_MARK
      const args = [
        ...timeline.args(sent),
        this.#interval,
        this.#burst,
        slot === 0 ? 0 : slot + timeline.shift,
        (due - sent) * 1_000,
        writes,
        this.#reserved() * 1_000,
        ...rest,
      ]
      const reply = await guard.run(script, [key], args, answer =>
        late?.(this.#read(answer, { key, timeline, sent })),
      )
      return this.#read(reply, { key, timeline, sent, mark })
    } finally {
      if (mark !== undefined) mark.returning -= returned
    }
  }

  #read(
    reply: readonly (number | string)[],
    { key, timeline, sent, mark }: BucketCall,
  ): BucketAnswer {
    const [granted, wait, now, slot, us, burst, writes, since, blocked] = reply.map(
      Number,
    ) as Numbers
    this.#clocks.note(this.#guard, key, timeline, { now, since, sent })
    if (us !== this.#interval || burst !== this.#burst) this.#overruled(1e6 / us, burst)
    if (mark !== undefined) {
      mark.writes = writes
      if (granted > 0) {
        // Answers keep the order of calls: what is being given back still was given back after this one.
        const last = slot - mark.returning * us
        mark.slot = Math.max(0, last - timeline.shift)
        mark.due = this.#clock.now() + (last - now) / 1_000
      }
    }
    return {
      granted,
      first: Math.max(slot - Math.max(0, granted - 1) * us - now, blocked || -Infinity) / 1_000,
      wait: Math.max(0, wait) / 1_000,
      available: blocked > 0 ? Math.min(0, (now - slot) / us) : (now - slot) / us,
      burst,
      interval: us / 1_000,
      blocked: blocked / 1_000,
    }
  }
}

interface BucketCallOptions {
  readonly mark?: BucketMark | undefined
  /** Hears of an answer that came when nothing waited for it any more. */
  readonly late?: (answer: BucketAnswer) => void
  /** Tokens that it gives back, as {@link BucketMark.returning} counts them. */
  readonly returned?: number
}

/** A call that an answer belongs to. */
interface BucketCall {
  readonly key: string
  readonly timeline: StoreTimeline
  /** Ms on the local clock. */
  readonly sent: number
  readonly mark?: BucketMark | undefined
}

type Numbers = [number, number, number, number, number, number, number, number, number]

const NO_MARK: Readonly<BucketMark> = newMark()
