import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import { retainedBytes } from '../../../measure/retained-bytes.ts'
import type { CreateCache } from '../contenders/caches.ts'
import { keysOf, usual } from './keys.ts'

const entries = 100_000

/** Bytes that a full cache keeps alive, without its keys and values: the keys exist already, the values are small integers. */
export const memory =
  (create: CreateCache): Prepare<number> =>
  async () => {
    const names = keysOf(usual, entries)
    // Interning and hashing of the keys changes their own size; that happens here, not in the measured part.
    const warm = new Map(names.map((name, index) => [name, index]))
    // The first use loads the library and compiles it, and compiled code may hold on to what it was compiled for.
    const first = await create({ entries })
    for (let i = 0; i < entries * 2; i++) first.set(names[i % entries]!, i)
    return {
      async measure() {
        const { bytes, built } = await retainedBytes(async () => {
          const cache = await create({ entries })
          for (let i = 0; i < entries; i++) cache.set(names[i]!, i)
          return cache
        })
        assert.equal(warm.size, entries)
        return { value: bytes / entries, result: built.get(names[entries - 1]!) ?? -1 }
      },
    }
  }

export function checkMemory(last: number): void {
  assert.equal(last, entries - 1)
}
