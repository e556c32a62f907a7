import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyIndex } from './key-index.ts'

/** Keys near every border between integers of 32 bits and other keys, and small ones, which meet again. */
const keys = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -4, max: 200 }) },
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(-0, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32, 0.5, Number.NaN),
  fc.constantFrom<unknown>('', '1', 1n, null, undefined, true),
)

const contents = (index: Iterable<[unknown, number]>) => new Map(index)

test('behaves as a Map that is given slots', () => {
  const steps = fc.array(fc.record({ key: keys, remove: fc.boolean() }), {
    minLength: 50,
    maxLength: 500,
  })
  fc.assert(
    fc.property(steps, steps => {
      const index = new KeyIndex<unknown>()
      const model = new Map<unknown, number>()
      const free: number[] = []
      let slots = 0
      for (const { key, remove } of steps) {
        const slot = model.get(key)
        expect(index.get(key)).toBe(slot ?? -1)
        if (slot === undefined) {
          const taken = free.pop() ?? slots++
          index.add(key, taken)
          model.set(key, taken)
        } else if (remove) {
          index.delete(key, slot)
          model.delete(key)
          free.push(slot)
        }
      }
      expect(contents(index)).toEqual(model)
      index.clear()
      for (const [key] of model) expect(index.get(key)).toBe(-1)
      for (const [key, slot] of model) index.add(key, slot)
      expect(contents(index)).toEqual(model)
    }),
  )
})

test.each([1, 1_000, 2 ** 12, 2 ** 16])('ids in steps of %i are all found', step => {
  const index = new KeyIndex<number>()
  for (let slot = 0; slot < 20_000; slot++) index.add(slot * step, slot)
  for (let slot = 0; slot < 20_000; slot++) expect(index.get(slot * step)).toBe(slot)
})
