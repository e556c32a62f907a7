import { describe, expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { hintOf } from './key-hint.ts'

describe('keys with the same hint are told apart', () => {
  test('strings that end alike', () => {
    const cache = new Cache<string, number>({ maxEntries: 1_000 })
    for (let i = 100; i < 1_000; i++) cache.set(`user:${i}:profile`, i)
    expect(hintOf('user:100:profile', true)).toBe(hintOf('user:999:profile', true))
    // Often enough that hints are given up.
    for (let round = 0; round < 20; round++) {
      for (let i = 100; i < 1_000; i++) expect(cache.get(`user:${i}:profile`)).toBe(i)
    }
  })

  test('numbers that are no integers, and the integers below them', () => {
    const cache = new Cache<number, string>()
    for (const key of [1, 1.5, -1, 2 ** 32 + 1, Number.NaN, Infinity]) cache.set(key, String(key))
    for (let round = 0; round < 3; round++) {
      for (const key of [1, 1.5, -1, 2 ** 32 + 1, Number.NaN, Infinity]) {
        expect(cache.get(key)).toBe(String(key))
      }
    }
    expect(cache.get(0)).toBeUndefined()
    cache.set(0, 'zero')
    expect(cache.get(-0)).toBe('zero')
  })

  test('a number and the string of it', () => {
    const cache = new Cache<number | string, string>()
    cache.set(7, 'number').set('7', 'string').set('', 'empty')
    for (let round = 0; round < 3; round++) {
      expect(cache.get(7)).toBe('number')
      expect(cache.get('7')).toBe('string')
      expect(cache.get('')).toBe('empty')
    }
  })
})

test('a key is not found where it was before it left, or by another key that took its slot', () => {
  const cache = new Cache<string | undefined, number>({ maxEntries: 1 })
  cache.set('first', 1)
  expect(cache.get('first')).toBe(1)
  cache.delete('first')
  expect(cache.get('first')).toBeUndefined()
  expect(cache.get(undefined)).toBeUndefined()
  cache.set('other', 2)
  expect(cache.get('first')).toBeUndefined()
  expect(cache.get('other')).toBe(2)
  cache.clear()
  expect(cache.get('other')).toBeUndefined()
  expect(cache.size).toBe(0)
})
