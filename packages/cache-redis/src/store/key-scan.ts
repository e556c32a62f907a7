import { primaries } from '../connection/client.ts'
import { type Batch, Batches } from './batches.ts'
import { includedKey } from './entry-format.ts'
import type { StoreBase } from './store-base.ts'

const KEYS_PER_SCAN = 500

/** Finds the values that lie in Redis, by SCAN on every primary. */
export class KeyScan {
  readonly #base: StoreBase<never>

  constructor(base: StoreBase<never>) {
    this.#base = base
  }

  /**
   * Pages of values by shard.
   *
   * @param prefix of keys, as far as names tell it: others may be found too
   */
  async *pages(
    prefix: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly Batch[], void, undefined> {
    const { connection, space, lines } = this.#base
    const pattern = space.pattern(prefix)
    const nodes = await connection.run('scan', 0, signal, client =>
      primaries(client, space.shards[0]!.journal),
    )
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, names] = await connection.run('scan', 0, signal, () =>
          node.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_PER_SCAN),
        )
        cursor = next
        const batches = new Batches(lines)
        for (const [index, name] of names.entries()) {
          const own = space.locate(name)
          if (own !== undefined) batches.add(own.shard, own.label, index)
        }
        yield batches.all
      } while (cursor !== '0')
    }
  }

  /** Pages of keys whose value is not gone. */
  async *keys(
    prefix: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly string[], void, undefined> {
    for await (const page of this.pages(prefix, signal)) {
      const found = await Promise.all(page.map(batch => this.#present(batch, signal)))
      yield found.flat().filter(key => key.startsWith(prefix))
    }
  }

  async #present(
    { line, names, labels }: Batch,
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const { space } = this.#base
    const args = Array(names.length).fill(space.hashed ? 'g' : 'a')
    const { reply, from } = await line.submit('keys', names, args, names.length, 0, signal)
    const keys: string[] = []
    for (const [position, label] of labels.entries()) {
      const result = reply[from + position]
      if (!space.hashed) {
        if (result === 1) keys.push(space.keyOf(label))
        continue
      }
      const bytes = Array.isArray(result) ? result[0] : result
      const stored = Buffer.isBuffer(bytes) ? includedKey(bytes) : undefined
      if (stored !== undefined) keys.push(space.keyOf(stored))
    }
    return keys
  }
}
