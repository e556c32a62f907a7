import { defined } from '@millrace/kit'
import Bottleneck from 'bottleneck'
import type { Redis } from 'ioredis'
import { BottleneckQueue } from './bottleneck-queue.ts'
import { RedisSlots } from './redis-slots.ts'
import { type JobSettings, toBottleneck } from './scheduler-options.ts'
import { releaseConnection, shareConnection } from './shared-connection.ts'

export interface JobLimiterOptions {
  readonly name: string
  readonly redis: Redis | undefined
  readonly settings: JobSettings
  /** Hears of faults that belong to no job. It must not throw: it would be called with its own error again, until the stack ends. */
  onError(error: unknown): void
  /** A limiter that was replaced has ended, and what waits can be asked of the new one. */
  onReplaced(): void
}

/** bottleneck's limiter by the settings that hold now. Where bottleneck cannot change them it is replaced by another. */
export class JobLimiter {
  settings: JobSettings
  current: Bottleneck
  /** What waits in it. */
  queue: BottleneckQueue
  /** While another one has not ended yet, nothing is asked of the present one. */
  replacing: Promise<void> | undefined = undefined
  readonly #options: JobLimiterOptions

  /** @throws {InvalidOptionError} for settings that make no sense, and for rates that bottleneck cannot hold */
  constructor(options: JobLimiterOptions) {
    this.#options = options
    this.settings = options.settings
    this.current = this.#create(toBottleneck(options.settings, this.#shared))
    this.queue = this.#createQueue()
  }

  /** See {@link JobScheduler.updateSettings}. */
  async update(changes: JobSettings): Promise<void> {
    const settings = { ...this.settings, ...defined(changes) }
    const translated = toBottleneck(settings, this.#shared)
    const hadReservoir = this.settings.reservoir !== undefined
    this.settings = settings
    if (this.#shared || !(hadReservoir || settings.reservoir !== undefined)) {
      await this.current.updateSettings(translated as Bottleneck.ConstructorOptions)
      return
    }
    if (changes.reservoir === undefined) {
      translated.reservoir = await this.current.currentReservoir()
    }
    this.replacing = this.#replace(translated).finally(() => {
      this.replacing = undefined
      this.#options.onReplaced()
    })
    await this.replacing
  }

  /** Drops what waits; resolves when all that bottleneck counts as running has ended. */
  async stop(): Promise<void> {
    await this.current.stop({ dropWaitingJobs: true })
    await this.current.disconnect(false)
  }

  /** Gives the connection back, after {@link stop}. */
  release(): void {
    if (this.#options.redis !== undefined) releaseConnection(this.#options.redis)
  }

  get #shared(): boolean {
    return this.#options.redis !== undefined
  }

  #create(settings: Record<string, unknown>): Bottleneck {
    const { name, redis, onError } = this.#options
    const shared = redis && {
      datastore: 'ioredis',
      connection: shareConnection(redis),
      // The braces keep all keys of one scheduler in one slot of a Cluster.
      id: `{${name}}`,
    }
    const options = { trackDoneStatus: false, ...settings, ...shared }
    const limiter = new Bottleneck(options as Bottleneck.ConstructorOptions)
    limiter.on('error', onError)
    return limiter
  }

  #createQueue(): BottleneckQueue {
    return new BottleneckQueue(
      this.current,
      this.#shared ? new RedisSlots(this.current) : undefined,
    )
  }

  async #replace(settings: Record<string, unknown>): Promise<void> {
    const old = this.current
    this.current = this.#create(settings)
    this.queue = this.#createQueue()
    await old.stop({ dropWaitingJobs: true })
    await old.disconnect()
  }
}
