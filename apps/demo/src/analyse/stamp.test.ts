import type { BigIntStats } from 'node:fs'
import { expect, test } from 'vitest'
import { stampOf } from './stamp.ts'

const stats = (changes: Partial<BigIntStats> = {}) =>
  ({
    dev: 1n,
    ino: 2n,
    size: 3n,
    mtimeNs: 5_000_000_001n,
    ctimeNs: 5_000_000_001n,
    ...changes,
  }) as BigIntStats

test('each part of a stamp tells files apart', () => {
  const { fingerprint } = stampOf(stats(), 10_000)
  for (const name of ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const) {
    expect(stampOf(stats({ [name]: 9n }), 10_000).fingerprint).not.toBe(fingerprint)
  }
})

test('a file touched within a step of the clock of its file system is not settled', () => {
  expect(stampOf(stats(), 5_049).settled).toBe(false)
  expect(stampOf(stats(), 5_051).settled).toBe(true)
  const whole = { mtimeNs: 4_000_000_000n, ctimeNs: 4_000_000_000n }
  expect(stampOf(stats(whole), 5_999).settled).toBe(false)
  expect(stampOf(stats(whole), 6_001).settled).toBe(true)
})

test('the later of both times counts, and one from the future never settles', () => {
  expect(stampOf(stats({ mtimeNs: 1n }), 5_010).settled).toBe(false)
  expect(stampOf(stats({ mtimeNs: 99_000_000_001n }), 10_000).settled).toBe(false)
})
