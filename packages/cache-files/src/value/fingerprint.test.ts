import { describe, expect, test } from 'vitest'
import { fingerprintOf } from './fingerprint.ts'

class Point {
  x = 1
}

describe('fingerprintOf', () => {
  test('is equal for equal values, however the engine holds them', () => {
    const wide = 'name → name'.slice(0, 4)
    expect(fingerprintOf(['name'])).toBe(fingerprintOf([wide]))
    const doubles = [1.5, 2]
    doubles[0] = 1
    expect(fingerprintOf([1, 2])).toBe(fingerprintOf(doubles))
    const list: number[] = []
    const loop: unknown[] = [list, list]
    loop.push(loop)
    expect(fingerprintOf(loop)).toBe(fingerprintOf(structuredClone(loop)))
  })

  test('differs for different values', () => {
    const shared = {}
    const values = [
      undefined,
      null,
      true,
      false,
      0,
      -0,
      1,
      Number.NaN,
      '',
      '1',
      1n,
      'null',
      '\ud800',
      '\ud801',
      [],
      [undefined],
      new Array(1),
      [[], []],
      [[[]]],
      [1, [2]],
      {},
      { a: undefined },
      { a: 1 },
      { a: 1, b: 2 },
      { b: 2, a: 1 },
      { a: { b: 2 } },
      new Map(),
      new Map([['a', 1]]),
      new Map([['a', { a: 1 }]]),
      new Set(),
      new Set(['a']),
      new Date(0),
      new Date(1),
      /a/,
      /a/g,
      new Uint8Array([1]),
      new Int8Array([1]),
      Buffer.from([1]),
      new Uint8Array([1]).buffer,
      new Error('a'),
      new TypeError('a'),
      new Point(),
      { x: 1 },
      new (class Names extends Array {})(),
      new (class Sums extends Map {})(),
      Object.assign(new Map(), { sum: 1 }),
      { [Symbol('a')]: 1 },
      { [Symbol('a')]: 2 },
      Object.assign([], { [Symbol('a')]: 1 }),
      Object.assign(new Point(), { [Symbol('a')]: 1 }),
      Object.assign(/a/g, { lastIndex: 1 }),
      'ab'.match(/b/),
      ' ab'.match(/b/),
      [['b'], Object.assign(new Map(), { a: 1 })],
      [Object.assign(['b'], { a: 1 }), new Map()],
      Object.assign(new Array(2), { a: 1 }),
      Object.assign([undefined, undefined], { a: 1 }),
      new Error('a', { cause: 1 }),
      new AggregateError([1], 'a'),
      new AggregateError([2], 'a'),
      Object.defineProperty(new Error('a'), 'line', { value: 1 }),
      new ArrayBuffer(1, { maxByteLength: 2 }),
      new ArrayBuffer(1, { maxByteLength: 3 }),
      Object.assign(new ArrayBuffer(1), { a: 1 }),
      [shared, shared],
      [{}, {}],
    ]
    expect(new Set(values.map(fingerprintOf)).size).toBe(values.length)
  })

  test('gives nothing of the value away', () => {
    for (const value of ['secret', 4711, true]) {
      expect(fingerprintOf(value)).not.toContain(String(value))
    }
  })

  test.each([
    ['a function at .rules[1].check', { rules: [1, { check: () => 1 }] }],
    ['a symbol at [0]', [Symbol('a')]],
    ['a function at .log', { [Symbol('log')]: () => 1 }],
    ['a function at .log', Object.assign(['a'], { log: () => 1 })],
    ['an instance of URL that shows no properties at .url', { url: new URL('a:b') }],
    ['an instance of Promise that shows no properties', Promise.resolve(1)],
  ])('names %s, which it cannot tell from another', (message, value) => {
    expect(() => fingerprintOf(value)).toThrow(message)
  })

  test('a value of many megabytes, and a small one after it', () => {
    const large = {
      text: 'x'.repeat(5_000_000),
      list: Array.from({ length: 100_000 }, (_, i) => i),
    }
    const first = fingerprintOf(large)
    expect(fingerprintOf({ a: 1 })).toBe(fingerprintOf({ a: 1 }))
    expect(fingerprintOf(structuredClone(large))).toBe(first)
  })
})
