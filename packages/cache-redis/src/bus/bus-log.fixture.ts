import { EventEmitter, once } from 'node:events'
import type { InvalidationBus } from '@millrace/cache-core/tiered'

/** What a bus tells its listeners. */
export class BusLog {
  readonly events: (string | 'gap')[] = []
  readonly #told = new EventEmitter()

  constructor(bus: InvalidationBus) {
    bus.subscribe({
      onInvalidations: list => {
        for (const { verb, target, name } of list) this.events.push(`${verb} ${target} ${name}`)
        this.#told.emit('told')
      },
      onGap: () => {
        this.events.push('gap')
        this.#told.emit('told')
      },
    })
  }

  /** Looks again whenever the bus tells something, which it also does when its subscription changes. */
  async until(condition: (events: readonly string[]) => boolean): Promise<void> {
    while (!condition(this.events)) await this.next()
  }

  async next(): Promise<void> {
    try {
      await once(this.#told, 'told', { signal: AbortSignal.timeout(60_000) })
    } catch (cause) {
      throw new Error(`Waited in vain; saw ${this.events.join(', ')}`, { cause })
    }
  }

  has(event: string): Promise<void> {
    return this.until(events => events.includes(event))
  }
}
