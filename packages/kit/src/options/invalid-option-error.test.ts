import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describe as describeValue } from './describe.ts'
import { InvalidOptionError } from './invalid-option-error.ts'

describe('InvalidOptionError', () => {
  test('names option, expectation and what came', () => {
    const error = new InvalidOptionError('ttl', 'a number above 0', -1)
    expect(error).toMatchObject({
      message: 'Expected `ttl` to be a number above 0, got a negative integer of 1 digit',
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'ttl',
      expected: 'a number above 0',
      received: 'a negative integer of 1 digit',
    })
  })

  test('is recognised across copies of the class, while subclasses stay apart', async () => {
    const copy = './invalid-option-error.ts?copy'
    const other = (await import(
      /* @vite-ignore */ copy
    )) as typeof import('./invalid-option-error.ts')
    expect(other.InvalidOptionError).not.toBe(InvalidOptionError)
    const error = new other.InvalidOptionError('ttl', 'a number', 'x')
    expect(error).toBeInstanceOf(InvalidOptionError)
    expect(error).toBeInstanceOf(TypeError)
    class Narrower extends InvalidOptionError {}
    expect(error).not.toBeInstanceOf(Narrower)
    expect(new Narrower('a', 'b', 1)).toBeInstanceOf(Narrower)
    expect(new Narrower('a', 'b', 1)).toBeInstanceOf(other.InvalidOptionError)
    for (const value of [null, undefined, 1, {}, new TypeError('x')]) {
      expect(value).not.toBeInstanceOf(InvalidOptionError)
    }
  })

  test('holds no part of the value, whatever the value is', () => {
    const secret = 'S3CR3T-0123456789'
    const holders: readonly unknown[] = [
      secret,
      { token: secret },
      [secret],
      Object.assign(() => 1, { secret }),
      Symbol(secret),
      new Error(secret),
      4_111_111_111_111_111,
      4_111_111_111_111_111n,
      new URL(`http://user:${secret}@example.test/`),
    ]
    for (const value of holders) {
      const error = new InvalidOptionError('exporter', 'an exporter', value)
      const shown = `${error.message} ${inspect(error, { showHidden: true, depth: 9 })} ${JSON.stringify(error)}`
      expect(shown).not.toMatch(/S3CR3T|41111/)
    }
  })

  test('describes anything without throwing', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), value => {
        expect(describeValue(value)).toMatch(/./)
      }),
    )
    expect([0, -0, Number.NaN, -Infinity, 1.5, 1e300].map(describeValue)).toEqual([
      '0',
      '-0',
      'NaN',
      '-Infinity',
      'a positive number with a fraction',
      'a positive integer of over 21 digits',
    ])
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(describeValue(proxy)).toBe('an object')
  })
})
