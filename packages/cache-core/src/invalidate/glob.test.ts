import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Glob } from './glob.ts'

/** The textbook definition, exponential and obviously right. */
function matches(pattern: string, key: string): boolean {
  if (pattern === '') return key === ''
  const [head, rest] = [pattern[0], pattern.slice(1)]
  if (head === '*') return matches(rest, key) || (key !== '' && matches(pattern, key.slice(1)))
  if (key === '') return false
  if (head === '?') return matches(rest, key.slice(1))
  if (head === '\\' && rest !== '')
    return rest[0] === key[0] && matches(rest.slice(1), key.slice(1))
  return head === key[0] && matches(rest, key.slice(1))
}

describe('Glob', () => {
  it('agrees with the definition on every pattern and key', () => {
    const pattern = fc.string({
      unit: fc.constantFrom('a', 'b', '*', '*', '?', '\\'),
      minLength: 1,
      maxLength: 9,
    })
    const key = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '\\'), maxLength: 10 })
    fc.assert(
      fc.property(pattern, key, (p, k) => {
        expect(new Glob(p).test(k)).toBe(matches(p, k))
      }),
      { numRuns: runs(5_000) },
    )
  })

  it.each<[string, string, boolean]>([
    ['user:*', 'user:1', true],
    ['user:*', 'user:', true],
    ['user:*', 'users:1', false],
    ['*:profile', 'user:1:profile', true],
    ['a*a', 'a', false],
    ['a?c', 'abc', true],
    ['100%\\*', '100%*', true],
    ['100%\\*', '100%1', false],
    ['.+', 'ab', false],
    ['[ab]', 'a', false],
    ['*', '', true],
    ['line*', 'line\nline', true],
  ])('%j on %j is %s', (pattern, key, expected) => {
    expect(new Glob(pattern).test(key)).toBe(expected)
  })

  it('knows the literal beginning of its matches', () => {
    expect(new Glob('user:*').prefix).toBe('user:')
    expect(new Glob('us?r:*').prefix).toBe('us')
    expect(new Glob('a\\*b*').prefix).toBe('a*b')
    expect(new Glob('*').prefix).toBe('')
  })

  it('answers at once where backtracking would not end', () => {
    const hostile = new Glob(`${'*a'.repeat(500)}*b`)
    const part = new Glob(`*${'a'.repeat(500)}?b*c`)
    const key = 'a'.repeat(20_000)
    expect(hostile.test(key)).toBe(false)
    expect(hostile.test(`${key}b`)).toBe(true)
    expect(part.test(key)).toBe(false)
  })

  it('refuses what is not a pattern', () => {
    expect(() => new Glob('')).toThrow(
      'Expected `pattern` to be a string of 1 to 1024 characters, got an empty string',
    )
    expect(() => new Glob('*'.repeat(1_025))).toThrow('`pattern`')
    expect(() => new Glob(/user/ as unknown as string)).toThrow('got an object')
  })
})
