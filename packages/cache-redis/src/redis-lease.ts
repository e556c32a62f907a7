import { randomUUID } from 'node:crypto'
import type { LeaseHold, LoadLease } from '@millrace/cache-core/tiered'
import { type Clock, systemClock } from './clock.ts'
import {
  Connection,
  type ConnectionOptions,
  type ConnectionStats,
  type ConnectionTarget,
} from './connection.ts'
import { InvalidOptionError } from './errors.ts'
import { KeySpace } from './key-space.ts'
import { dropLease } from './scripts.ts'

/** Options of a {@link RedisLease}, besides where Redis is. */
export interface RedisLeaseSettings extends ConnectionOptions {
  /** Beginning of its keys in Redis, without braces; that of the store it is for will do. Default `millrace`. */
  readonly prefix?: string
  /** ms after which the lease of a process that died ends, > 0: as long as loads take. Default 10,000. */
  readonly life?: number
  /** ms for which others wait for one who loads, > 0. Default `life`. */
  readonly patience?: number
}

/** Options of a {@link RedisLease}. */
export type RedisLeaseOptions = RedisLeaseSettings & ConnectionTarget

/** Counters of a {@link RedisLease}. */
export interface RedisLeaseStats extends ConnectionStats {
  /** Leases that this process got. */
  readonly acquired: number
  /** Times it waited for another's. */
  readonly waited: number
}

/** ms between two looks at a lease that another has: the first, and the most. Half as long again each time. */
const FIRST_LOOK = 5
const LATEST_LOOK = 100

/**
 * A `LoadLease` in Redis or Valkey: while one process loads a key, the others wait and then take its value from the store. One
 * round trip more per load, one to let go, and while one waits a look every 5 to 100 ms. A lease saves work and promises
 * nothing: when it has run out, or Redis is down, several may load. What may be stored is the fence's business.
 */
export class RedisLease implements LoadLease {
  readonly #connection: Connection
  readonly #space: KeySpace
  readonly #life: number
  readonly #patience: number
  readonly #clock: Clock
  #acquired = 0
  #waited = 0

  /** @throws {InvalidOptionError} */
  constructor(options: RedisLeaseOptions) {
    const { prefix = 'millrace', life = 10_000, patience = life, clock = systemClock } = options
    for (const [name, value] of Object.entries({ life, patience })) {
      if (!(value > 0 && value < Infinity)) {
        throw new InvalidOptionError(name, 'a finite number > 0', value)
      }
    }
    this.#space = new KeySpace(prefix)
    this.#life = Math.ceil(life)
    this.#patience = patience
    this.#clock = clock
    this.#connection = new Connection(options, options)
  }

  /**
   * The hold if the key is free now; otherwise `undefined`, as soon as whoever has it lets go, or after `patience`.
   *
   * Rejects with `RedisTimeoutError`, `RedisUnavailableError` or the signal's reason.
   */
  async acquire(
    key: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<LeaseHold | undefined> {
    const name = this.#space.lease(key)
    const token = randomUUID()
    const taken = await this.#connection.run('acquire', 1, signal, client =>
      client.set(name, token, 'PX', this.#life, 'NX'),
    )
    if (taken !== null) {
      this.#acquired++
      return { release: () => this.#release(name, token) }
    }
    this.#waited++
    const end = this.#clock.now() + this.#patience
    for (let pause = FIRST_LOOK; ; pause = Math.min(pause * 1.5, LATEST_LOOK)) {
      const left = end - this.#clock.now()
      if (left <= 0) return undefined
      await this.#pause(Math.min(pause, left), signal)
      const held = await this.#connection.run('look', 1, signal, client => client.exists(name))
      if (held === 0) return undefined
    }
  }

  stats(): RedisLeaseStats {
    return { acquired: this.#acquired, waited: this.#waited, ...this.#connection.stats() }
  }

  /** Closes the connection if the lease made it. Leases that are held run out. */
  close(): Promise<void> {
    return this.#connection.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #release(name: string, token: string): Promise<void> {
    try {
      await this.#connection.run('release', 1, undefined, client =>
        dropLease.run(client, [name], [token]),
      )
    } catch {
      // Then it runs out; the failure is counted by the connection.
    }
  }

  #pause(delay: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void): void => {
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        settle()
      }
      const abort = (): void => leave(() => reject(signal!.reason))
      const timer = this.#clock.setTimer(() => leave(resolve), delay)
      signal?.addEventListener('abort', abort)
    })
  }
}
