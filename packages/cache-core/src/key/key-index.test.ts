import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyHasher } from './key-hasher.ts'
import { KeyIndex } from './key-index.ts'

/** Keys near every border between integers of 32 bits and other keys, and small ones, which meet again. */
const keys = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -4, max: 200 }) },
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(-0, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32, 0.5, Number.NaN),
  fc.constantFrom<unknown>('', '1', 'x'.repeat(32), 'x'.repeat(33), 1n, null, undefined, true),
)

/** An index with the column of keys that a kernel keeps beside it. */
class Held {
  readonly index: KeyIndex<unknown>
  readonly keys: unknown[] = []

  constructor(entries = 1_000) {
    this.index = new KeyIndex(new KeyHasher(), entries)
  }

  get(key: unknown): number {
    return this.index.get(key, this.keys)
  }

  add(key: unknown, slot: number): void {
    expect(this.get(key)).toBe(-1)
    this.index.add(key, this.index.hash, slot)
    this.keys[slot] = key
  }

  delete(key: unknown, slot: number): void {
    this.index.delete(key, slot)
    this.keys[slot] = undefined
  }

  contents(): Map<unknown, number> {
    const { keys, index } = this
    return new Map<unknown, number>([...index.slots().map(slot => [keys[slot], slot] as const)])
  }
}

test('behaves as a Map that is given slots', () => {
  const steps = fc.array(fc.record({ key: keys, remove: fc.boolean() }), {
    maxLength: 500,
    size: 'max',
  })
  fc.assert(
    fc.property(steps, fc.constantFrom(1_000, 100_000, 1_000_000), (steps, entries) => {
      const held = new Held(entries)
      const model = new Map<unknown, number>()
      const free: number[] = []
      let slots = 0
      for (const { key, remove } of steps) {
        const slot = model.get(key)
        expect(held.get(key)).toBe(slot ?? -1)
        if (slot === undefined) {
          const taken = free.pop() ?? slots++
          held.add(key, taken)
          model.set(key, taken)
        } else if (remove) {
          held.delete(key, slot)
          model.delete(key)
          free.push(slot)
        }
      }
      expect(held.contents()).toEqual(model)
      held.index.clear()
      for (const [key] of model) expect(held.get(key)).toBe(-1)
      for (const [key, slot] of model) held.add(key, slot)
      expect(held.contents()).toEqual(model)
    }),
  )
})

test('keys that share a hash are told apart', () => {
  const keys = ['a', 'b', 'c', 'd']
  const index = new KeyIndex<string>(new KeyHasher(), keys.length)
  // What a collision of all 32 bits would look like.
  index.get('a', keys)
  const { hash } = index
  for (const slot of [3, 1, 0]) index.add(keys[slot]!, hash, slot)
  expect(index.get('a', keys)).toBe(0)
  index.delete('b', 1)
  expect(index.get('a', keys)).toBe(0)
  index.delete('a', 0)
  expect(index.get('a', keys)).toBe(-1)
  expect(index.slots()).toEqual([3])
})

test.each(['', 'x'.repeat(32), 'x'.repeat(33), 2 ** 31 - 1, 2 ** 31, -0, 0.5, Number.NaN, null])(
  '%j is found again',
  key => {
    const held = new Held()
    held.add(key, 0)
    expect(held.get(typeof key === 'string' ? key.split('').join('') : key)).toBe(0)
    expect(held.index.slots()).toEqual([0])
  },
)

test.each([1, 1_000, 2 ** 12, 2 ** 16])('ids in steps of %i are all found', step => {
  const held = new Held()
  for (let slot = 0; slot < 20_000; slot++) held.add(slot * step, slot)
  for (let slot = 0; slot < 20_000; slot++) expect(held.get(slot * step)).toBe(slot)
})
