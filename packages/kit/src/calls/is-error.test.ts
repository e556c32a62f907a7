import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { isError } from './is-error.ts'

test.each([
  ['an error', new TypeError('x'), true],
  ['an error of another realm', runInNewContext('new TypeError()'), true],
  ['the reason of a signal', AbortSignal.abort().reason, true],
  ['an object with a message', { name: 'Error', message: 'x' }, false],
  ['a text', 'Error', false],
  ['undefined', undefined, false],
])('%s', (_, value, expected) => expect(isError(value)).toBe(expected))
