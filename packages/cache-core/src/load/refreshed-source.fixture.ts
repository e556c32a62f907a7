import type { SeededScheduler } from '@millrace/testkit'
import { type Loaded, loaded } from './loaded.ts'

/** Asked for its value by whoever has a copy of an earlier one. */
export type Source = (copy: number | undefined) => Promise<number>

export interface SourceBehavior {
  /** It has what the first copy has, and returns the copy where that is so. */
  readonly conditional: boolean | undefined
  /** It fails until it is written. */
  readonly down: boolean | undefined
}

/** A source with a version, of which a copy is cached, and whose calls and replies are put in order by a scheduler. */
export class RefreshedSource {
  version = 1
  written = false
  /** What a load has stored last, until it is overtaken. */
  copy: number
  /** A call failed before the write. */
  failedBefore = false
  readonly #scheduler: Pick<SeededScheduler, 'gate'>
  readonly #behavior: SourceBehavior

  constructor(scheduler: Pick<SeededScheduler, 'gate'>, first: number, behavior: SourceBehavior) {
    this.#scheduler = scheduler
    this.copy = first
    this.#behavior = behavior
  }

  /** Raises the version and returns it. */
  write(): number {
    this.written = true
    return ++this.version
  }

  readonly load: Source = async stale => {
    await this.#scheduler.gate('source:start')
    const value = this.version
    await this.#scheduler.gate('source:end')
    const { conditional, down } = this.#behavior
    if (down && value === 1) {
      this.failedBefore ||= !this.written
      throw new Error('source is down')
    }
    if (!this.written) this.copy = value
    return conditional && stale === value ? stale : value
  }
}

interface ManyReader {
  getOrLoadMany(
    keys: string[],
    loader: (
      keys: readonly string[],
      context: { stale(key: string): number | undefined },
    ) => Promise<Loaded<number>[]>,
  ): Promise<Map<string, number>>
}

/** Reads `k` by a load of many, which names its tag in its result alone. */
export async function readMany(cache: ManyReader, source: Source): Promise<number> {
  try {
    const found = await cache.getOrLoadMany(['k'], async (_, { stale }) => [
      loaded(await source(stale('k')), { tags: ['t'] }),
    ])
    return found.get('k')!
  } catch (error) {
    throw (error as Error).cause
  }
}
