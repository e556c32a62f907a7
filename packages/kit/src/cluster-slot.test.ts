import { expect, test } from 'vitest'
import { slotOf } from './cluster-slot.ts'

test('slots are those of the Cluster specification', () => {
  // CRC16("123456789") = 0x31C3 is the specification's own example.
  expect(slotOf('123456789')).toBe(0x31c3 & 0x3fff)
  expect(slotOf('')).toBe(0)
  expect(slotOf('foo')).toBe(12_182)
})

test('only a hash tag that is not empty counts', () => {
  expect(slotOf('{user1000}.following')).toBe(slotOf('{user1000}.followers'))
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'))
  expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'))
  expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'))
})
