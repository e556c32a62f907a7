import { runInNewContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'
import {
  checkBoolean,
  checkFunction,
  checkHeaders,
  checkInteger,
  checkIntegerOrInfinity,
  checkList,
  checkMethods,
  checkNonNegative,
  checkNonNegativeOrInfinity,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPositive,
  checkPositiveOrInfinity,
  checkRange,
  checkRecord,
  checkSignal,
  checkText,
  NULLABLE,
} from './checks.ts'
import { InvalidOptionError } from './invalid-option-error.ts'

type Check = (option: string, value: unknown) => unknown

const numbers: Record<string, [check: Check, right: unknown[], wrong: unknown[]]> = {
  checkPositive: [checkPositive, [1e-9, 5], [0, -1, Infinity, Number.NaN, '5', null, undefined]],
  checkPositiveOrInfinity: [checkPositiveOrInfinity, [1, Infinity], [0, Number.NaN, '1', 1n]],
  checkNonNegative: [checkNonNegative, [0, 2.5], [-0.1, Infinity, Number.NaN, []]],
  checkNonNegativeOrInfinity: [checkNonNegativeOrInfinity, [0, Infinity], [-1, Number.NaN, {}]],
  checkRange: [(o, v) => checkRange(o, v, 0, 1), [0, 0.5, 1], [-0.1, 1.1, Number.NaN, '0']],
  checkInteger: [(o, v) => checkInteger(o, v, 1, 10), [1, 10], [0, 11, 1.5, '1', Infinity]],
  checkIntegerOrInfinity: [
    (o, v) => checkIntegerOrInfinity(o, v, 0),
    [0, 7, Infinity],
    [-1, 0.5, -Infinity, 2 ** 53],
  ],
  checkBoolean: [checkBoolean, [true, false], [0, 'true', undefined]],
  checkText: [checkText, ['x'], ['', 1, null]],
  checkPath: [checkPath, ['x', './x y'], ['', 'x\0y', 1, null]],
  checkFunction: [checkFunction, [() => 1, class {}], [{}, undefined]],
  checkList: [(o, v) => checkList(o, v as []), [[], [1]], [{}, 'ab', undefined]],
  checkOneOf: [(o, v) => checkOneOf(o, v, ['a', 'b']), ['a', 'b'], ['c', 1, undefined]],
  checkRecord: [
    checkRecord,
    [{}, Object.create(null)],
    [null, undefined, 'x', 5, [], () => 1, new Map(), new Headers(), new Date(), Promise.resolve()],
  ],
  checkHeaders: [
    (o, v) => checkHeaders(o, v as Record<string, string>),
    [{}, { 'x-key': 'k=\t é' }, Object.create(null)],
    [
      null,
      'x',
      [],
      { 'a b': '' },
      { '': '' },
      { a: 5 },
      { a: 'x\r\ny: z' },
      { a: '\u0100' },
      { 'Transfer-Encoding': 'chunked' },
    ],
  ],
  checkMethods: [
    (o, v) => checkMethods(o, v, 'a Store', ['get', 'set']),
    [{ get() {}, set() {} }],
    [{ get() {} }, null, 'x', 1],
  ],
}

describe.each(Object.entries(numbers))('%s', (_, [check, right, wrong]) => {
  test('returns what is right', () => {
    for (const value of right) expect(check('o', value)).toBe(value)
  })

  test('refuses what is wrong, by name', () => {
    for (const value of wrong) {
      expect(() => check('o', value)).toThrow(InvalidOptionError)
      expect(() => check('o', value)).toThrow(/^Expected `o` to be .+, got .+/)
    }
  })
})

test('formats numbers for errors alone, as that loads what the process knows of locales', () => {
  using format = vi.spyOn(Number.prototype, 'toLocaleString')
  for (const [check, right] of Object.values(numbers)) for (const value of right) check('o', value)
  expect(format).not.toHaveBeenCalled()
  expect(() => checkInteger('o', 0, 1_000)).toThrow('at least 1,000')
  expect(format).toHaveBeenCalled()
})

test('checkSignal takes signals of any realm, and nothing else', () => {
  const { signal } = new AbortController()
  const foreign = runInNewContext('AbortSignal => ({ __proto__: null })')
  const polyfill = Object.assign(foreign(), {
    aborted: false,
    throwIfAborted: () => undefined,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  })
  for (const right of [signal, polyfill]) expect(checkSignal('o', right)).toBe(right)
  const wrong = [null, undefined, 5, 'signal', Symbol('s'), {}, new EventTarget(), signal.onabort]
  for (const value of wrong) {
    expect(() => checkSignal('o', value as never)).toThrow(
      /^Expected `o` to be an AbortSignal, got/,
    )
  }
})

describe('checkOptions', () => {
  interface Options {
    maxEntries?: number
    ttl?: number
  }
  const names = { maxEntries: true, ttl: true } as const

  test('accepts known names and returns the options', () => {
    const options: Options = { ttl: 1 }
    expect(checkOptions('', options, names)).toBe(options)
    expect(checkOptions<Options>('', {}, names)).toEqual({})
  })

  test('refuses an unknown name and hints at the nearest', () => {
    const refuse = (path: string, options: object) => () =>
      checkOptions(path, options as Options, names)
    expect(refuse('', { maxEntires: 5 })).toThrow(
      'Expected `maxEntires` to be absent, as there is no such option (did you mean `maxEntries`?), got a positive integer of 1 digit',
    )
    expect(refuse('cache', { TTL: 5 })).toThrow('`cache.TTL`')
    expect(refuse('cache', { TTL: 5 })).toThrow('`ttl`?')
    expect(refuse('', { somethingElse: 5 })).not.toThrow(/did you mean/)
    expect(refuse('', { somethingElse: 5 })).toThrow(InvalidOptionError)
  })

  test('is not misled by names of Object.prototype', () => {
    expect(() => checkOptions('', { toString: 1 } as Options, names)).toThrow('`toString`')
    expect(() => checkOptions('', JSON.parse('{"__proto__": 1}') as Options, names)).toThrow(
      '`__proto__`',
    )
  })

  test('knows inherited names, but those that somebody gave all objects', () => {
    expect(() => checkOptions('', Object.create({ maxEntires: 5 }) as Options, names)).toThrow(
      '`maxEntries`?',
    )
    const inherited = Object.create({ ttl: 5 }) as Options
    expect(checkOptions('', inherited, names)).toBe(inherited)
    Object.defineProperty(Object.prototype, 'everywhere', {
      value: 1,
      enumerable: true,
      configurable: true,
    })
    let error: unknown
    try {
      checkOptions<Options>('', { ttl: 1 }, names)
    } catch (thrown) {
      error = thrown
    } finally {
      Reflect.deleteProperty(Object.prototype, 'everywhere')
    }
    expect(error).toBeUndefined()
  })

  test('refuses what is no object', () => {
    // A list, and what keeps its content elsewhere than in properties.
    const empty = [[], new Map(), new Set(), new Headers(), new Date(), Promise.resolve({})]
    for (const options of [null, undefined, 5, 'x', ...empty]) {
      expect(() => checkOptions('', options as never, names)).toThrow('`options`')
      expect(() => checkOptions('retry', options as never, names)).toThrow('`retry`')
    }
  })

  test('refuses null, which is no default, but where it means something', () => {
    expect(() => checkOptions('cache', { ttl: null } as never, names)).toThrow(
      'Expected `cache.ttl` to be anything but null, got null',
    )
    expect(checkOptions('', { value: null }, { value: NULLABLE })).toEqual({ value: null })
  })
})
