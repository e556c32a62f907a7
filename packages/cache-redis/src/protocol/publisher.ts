import { Glob, storableKey } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import { checkList, checkOneOf, checkRecord, InvalidOptionError } from '@millrace/kit'
import type { ScriptArgument } from './script.ts'
import type { ScriptLines } from './script-line.ts'

/** Targets by their index in messages. */
const TARGETS: readonly Invalidation['target'][] = ['key', 'tag', 'pattern', 'all']

const VERBS: readonly Invalidation['verb'][] = ['delete', 'expire']

/** Tells other processes of invalidations that no script made. */
export class Publisher {
  readonly #lines: ScriptLines

  constructor(lines: ScriptLines) {
    this.#lines = lines
  }

  /**
   * On the channel of the first shard: it is all the same to listeners.
   *
   * @throws (by rejection) {InvalidOptionError} for what is no invalidation; then none is published
   */
  async publish(invalidations: readonly Invalidation[]): Promise<void> {
    checkList('invalidations', invalidations)
    if (invalidations.length === 0) return
    const args: ScriptArgument[] = []
    for (const invalidation of invalidations) {
      const { verb, target, name } = checkRecord('invalidations', invalidation, 'invalidations')
      checkOneOf('verb', verb, VERBS)
      checkOneOf('target', target, TARGETS)
      if (typeof name !== 'string') throw new InvalidOptionError('name', 'a string', name)
      // It throws for what is no pattern: a repetition would, too.
      if (target === 'pattern') new Glob(name)
      args.push('p', verb === 'delete' ? 0 : 1, TARGETS.indexOf(target), storableKey(name))
    }
    await this.#lines.all[0]!.submit('publish', [], args, invalidations.length, 0)
  }
}
