import { describe, expect, expectTypeOf, test } from 'vitest'
import { type OptionEffects, parserId, resultKey } from './result-key.ts'

interface ParserOptions {
  readonly module: boolean
  readonly target?: string
  readonly plugins: readonly string[]
  readonly verbose?: boolean
}
const effects: OptionEffects<ParserOptions> = {
  module: 'result',
  target: value => value?.toLowerCase() ?? 'latest',
  plugins: 'result',
  verbose: 'none',
}
const base = { module: true, plugins: ['a', 'b'] }

describe('parserId', () => {
  test('tells apart what decides, and nothing else', () => {
    const id = parserId('p@1', base, effects)
    expect(parserId('p@1', { ...base, verbose: true }, effects)).toBe(id)
    expect(parserId('p@1', { ...base, target: 'LATEST' }, effects)).toBe(id)
    const others = [
      parserId('p@2', base, effects),
      parserId('p@1', { ...base, module: false }, effects),
      parserId('p@1', { ...base, target: 'es5' }, effects),
      parserId('p@1', { ...base, plugins: ['a,b'] }, effects),
    ]
    expect(new Set([id, ...others]).size).toBe(5)
  })

  test('undefined is as good as absent, however deep, but not in a list', () => {
    const id = (x: unknown) => parserId('p@1', { x }, { x: 'result' })
    expect(id(undefined)).toBe(parserId<{ x?: unknown }>('p@1', {}, { x: 'result' }))
    expect(id({ a: { b: undefined }, c: undefined })).toBe(id({ a: {} }))
    expect(id([{ b: undefined }])).toBe(id([{}]))
    expect(new Set([undefined, {}, { a: {} }, { a: null }, null, [{}]].map(id)).size).toBe(6)
    for (const x of [[undefined], { a: [undefined] }, new Array(1)]) {
      expect(() => id(x)).toThrow('a value with a JSON form')
    }
  })

  test('an option on which nobody decided does not compile, and is refused', () => {
    expectTypeOf({ module: 'result', plugins: 'result', verbose: 'none' } as const).not.toExtend<
      OptionEffects<ParserOptions>
    >()
    expect(() => parserId('p', { ...base, sneaky: 1 } as never, effects)).toThrow('`sneaky`')
  })

  test('a value that JSON would lose is refused', () => {
    for (const plugins of [[() => 1], [new Map()], [Number.NaN], [undefined]]) {
      expect(() => parserId('p', { ...base, plugins } as never, effects)).toThrow(
        'Expected `plugins` to be a value with a JSON form',
      )
    }
  })
})

test('content keys never collide, whatever is in their parts', () => {
  const parts = ['', 'a', '","', '"]', '\\', 'a"b']
  const keys = parts.flatMap(id => parts.map(variant => resultKey('h', id, variant)))
  expect(new Set(keys).size).toBe(36)
})
