import { expect, test } from 'vitest'
import { withValidAge } from './age-field.ts'

test.each<[string | string[] | undefined, string | undefined]>([
  ['0', '0'],
  ['7200', '7200'],
  ['2147483648', '2147483648'],
  ['7200, 0', '7200'],
  ['0, 7200', '0'],
  [['0', '7200'], '0'],
  [['7200', '0'], '7200'],
  ['7200;foo=bar', '7200'],
  ['abc', undefined],
  ['-7200', undefined],
  ['7200.0', undefined],
  ['', undefined],
  [undefined, undefined],
])('of %j, %j counts', (age, expected) => {
  const headers = { date: 'x', ...(age === undefined ? {} : { age }) }
  const { age: valid, ...others } = withValidAge<Record<string, string | string[]>>(headers)
  expect(valid).toBe(expected)
  expect(others).toEqual({ date: 'x' })
})
