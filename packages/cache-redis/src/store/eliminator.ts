import { checkKeys, checkTag, Glob, storableKey } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import type { Answer } from '../protocol/answer.ts'
import type { Publisher } from '../protocol/publisher.ts'
import type { ScriptArgument } from '../protocol/script.ts'
import { BATCHES_AT_ONCE, type Batch, batchesOf } from './batches.ts'
import { inWaves } from './in-waves.ts'
import type { KeyScan } from './key-scan.ts'
import { FOREIGN, type StoreBase } from './store-base.ts'

type Verb = Invalidation['verb']

/** Makes values gone or stale by the script, and repeats what failed. */
export class Eliminator {
  readonly #base: StoreBase<never>
  readonly #scan: KeyScan
  readonly #publisher: Publisher

  constructor(base: StoreBase<never>, scan: KeyScan, publisher: Publisher) {
    this.#base = base
    this.#scan = scan
    this.#publisher = publisher
  }

  /** How many values there were. */
  async keys(
    operation: string,
    verb: Verb,
    given: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { connection, recovery, counters } = this.#base
    const keys = checkKeys(given)
    const order = recovery.begin()
    const stored = keys.map(storableKey)
    const failures = ({ indexes }: Batch): Invalidation[] =>
      indexes.map(index => ({ verb, target: 'key', name: keys[index]! }))
    const remove = async (batch: Batch): Promise<number> => {
      const { indexes, names } = batch
      let answer: Answer
      try {
        const args = this.#removal(verb, batch, stored)
        answer = await batch.line.submit(operation, names, args, names.length, 0, signal)
      } catch (error) {
        recovery.failed(error, failures(batch), order)
        throw error
      }
      let count = 0
      for (const [position, index] of indexes.entries()) {
        const result = answer.reply[answer.from + position]
        if (result === FOREIGN) counters.foreign++
        if (result === 1) count++
        recovery.succeeded(verb, 'key', keys[index]!, order)
      }
      return count
    }
    const batches = batchesOf(this.#base, stored)
    for (const key of keys) recovery.enter(key)
    try {
      const counts = await inWaves(connection, batches, BATCHES_AT_ONCE, remove, (rest, error) =>
        recovery.failed(error, rest.flatMap(failures), order),
      )
      const count = counts.reduce((sum, each) => sum + each, 0)
      counters.deletes += count
      return count
    } finally {
      for (const key of keys) recovery.leave(key)
    }
  }

  async tag(verb: Verb, tag: string, signal: AbortSignal | undefined): Promise<void> {
    const { recovery } = this.#base
    const args = ofTag(verb, checkTag(tag))
    const order = recovery.begin()
    try {
      await this.#everywhere(`${verb}Tag`, args, signal)
    } catch (error) {
      recovery.failed(error, [{ verb, target: 'tag', name: tag }], order)
      throw error
    }
    recovery.succeeded(verb, 'tag', tag, order)
  }

  async all(verb: Verb, signal: AbortSignal | undefined): Promise<void> {
    const { recovery } = this.#base
    const order = recovery.begin()
    try {
      await this.#everywhere('clear', ofAll(verb), signal)
    } catch (error) {
      recovery.failed(error, [{ verb, target: 'all', name: '' }], order)
      throw error
    }
    recovery.succeeded(verb, 'all', '', order)
  }

  /** Frees the memory of what a clear has made gone. */
  async free(signal: AbortSignal | undefined): Promise<void> {
    for await (const page of this.#scan.pages('', signal)) {
      await Promise.all(
        page.map(({ line, names }) =>
          line.submit('clear', names, Array(names.length).fill('u'), names.length, 0, signal),
        ),
      )
    }
  }

  /** Carries out an invalidation that failed. */
  async repeat({ verb, target, name }: Invalidation): Promise<unknown> {
    switch (target) {
      case 'key':
        return this.#repeatKeys(verb, [name])
      case 'tag':
        return this.#everywhere('recover', ofTag(verb, name), undefined)
      case 'all':
        return this.#everywhere('recover', ofAll(verb), undefined)
      case 'pattern': {
        const glob = new Glob(name)
        for await (const keys of this.#scan.keys(glob.prefix, undefined)) {
          await this.#repeatKeys(verb, keys.filter(glob.test))
        }
        return this.#publisher.publish([{ verb, target, name }])
      }
    }
  }

  async #repeatKeys(verb: Verb, keys: readonly string[]): Promise<void> {
    const stored = keys.map(storableKey)
    await Promise.all(
      batchesOf(this.#base, stored).map(batch => {
        const { line, names } = batch
        return line.submit('recover', names, this.#removal(verb, batch, stored), names.length, 0)
      }),
    )
  }

  /** @param stored all keys of the call that the batch is of */
  #removal(verb: Verb, { indexes }: Batch, stored: readonly string[]): readonly ScriptArgument[] {
    const operation = verb === 'delete' ? 'd' : 'x'
    if (!this.#base.space.hashed) return Array(indexes.length).fill(operation)
    return indexes.flatMap(index => [operation, stored[index]!])
  }

  /** Every shard judges its values by a journal of its own, so each has to know. */
  async #everywhere(
    operation: string,
    args: readonly ScriptArgument[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { connection, lines } = this.#base
    const calls = connection.together(() =>
      lines.all.map(line => line.submit(operation, [], args, 1, 0, signal)),
    )
    // All have ended before the error is thrown, so that none takes effect behind the caller's back.
    for (const outcome of await Promise.allSettled(calls)) {
      if (outcome.status === 'rejected') throw outcome.reason
    }
  }
}

function ofTag(verb: Verb, tag: string): readonly ScriptArgument[] {
  return [verb === 'delete' ? 'D' : 'X', storableKey(tag)]
}

function ofAll(verb: Verb): readonly ScriptArgument[] {
  return [verb === 'delete' ? 'C' : 'E']
}
