import { expect, test } from 'vitest'
import { approximateBytes } from './approximate-bytes.ts'

test.each([
  ['x'.repeat(1_000), 1_000, 1_100],
  ['\u4e2d'.repeat(1_000), 2_000, 2_100],
  [Buffer.alloc(10_000), 10_000, 10_200],
  [new ArrayBuffer(5_000), 5_000, 5_200],
  [42, 8, 8],
  [{ a: 1, b: 'text' }, 50, 120],
  [Array.from({ length: 10_000 }, (_, i) => i), 80_000, 400_000],
  [new Map([['key', 'value']]), 60, 160],
])('estimates %o', (value, least, most) => {
  const bytes = approximateBytes(value)
  expect(bytes).toBeGreaterThanOrEqual(least)
  expect(bytes).toBeLessThanOrEqual(most)
})

test('ends on cycles', () => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  expect(approximateBytes(cycle)).toBeLessThan(100)
})

test('looks at a few of very many entries', () => {
  let steps = 0
  class Counted extends Map<number, number> {
    override *keys(): MapIterator<number> {
      for (const key of super.keys()) {
        steps++
        yield key
      }
      return undefined
    }
  }
  const map = new Counted(Array.from({ length: 10_000 }, (_, i) => [i, i]))
  expect(approximateBytes(map)).toBeGreaterThan(10_000 * 16)
  expect(steps).toBeLessThanOrEqual(200)
})

test('calls no getter, and does not fail where code of a value throws', () => {
  const lazy = {
    get relation(): never {
      throw new Error('not loaded')
    },
    name: 'x'.repeat(1_000),
  }
  expect(approximateBytes(lazy)).toBeGreaterThan(1_000)
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  expect(approximateBytes([proxy, 'x'.repeat(1_000)])).toBeGreaterThan(1_000)
})

test('is a size, whatever a class says of itself', () => {
  class Odd extends Map {
    override get size(): number {
      return -5
    }
  }
  class Bytes extends Uint8Array {
    override get byteLength(): number {
      return Number.NaN
    }
  }
  expect(approximateBytes(new Odd())).toBe(24)
  expect(approximateBytes(new Bytes(8))).toBe(96)
})
