import { storableKey } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import type { ScriptArgument } from './script.ts'
import type { ScriptLines } from './script-line.ts'

/** Targets by their index in messages. */
const TARGETS: readonly Invalidation['target'][] = ['key', 'tag', 'pattern', 'all']

/** Tells other processes of invalidations that no script made. */
export class Publisher {
  readonly #lines: ScriptLines

  constructor(lines: ScriptLines) {
    this.#lines = lines
  }

  /** On the channel of the first shard: it is all the same to listeners. */
  async publish(invalidations: readonly Invalidation[]): Promise<void> {
    if (invalidations.length === 0) return
    const args: ScriptArgument[] = []
    for (const { verb, target, name } of invalidations) {
      args.push('p', verb === 'delete' ? 0 : 1, TARGETS.indexOf(target), storableKey(name))
    }
    await this.#lines.all[0]!.submit('publish', [], args, invalidations.length, 0)
  }
}
