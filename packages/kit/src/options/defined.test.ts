import { expect, test } from 'vitest'
import { defined } from './defined.ts'

test('options that are undefined leave those that they are laid over', () => {
  const over: { a?: number | undefined; b?: number | null | undefined } = { a: undefined, b: null }
  expect({ a: 1, b: 2, ...defined(over) }).toEqual({ a: 1, b: null })
  expect(Object.keys(defined(over))).toEqual(['b'])
})
