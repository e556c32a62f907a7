import { once } from 'node:events'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { warn } from './warn.ts'

test.each([
  ['an error', new TypeError('odd')],
  ['an error of another realm', runInNewContext('new TypeError("odd")')],
])('%s is the warning itself', async (_, error) => {
  const warned = once(process, 'warning')
  warn(error)
  expect((await warned)[0]).toBe(error)
})

test.each([
  ['a text', 'odd', 'odd'],
  ['undefined', undefined, 'undefined'],
  ['a symbol', Symbol('odd'), 'Symbol(odd)'],
  ['an object without a text', Object.create(null), 'object'],
  ['an object whose text throws', { toString: () => JSON.parse('{') }, 'object'],
])('%s is the text of one', async (_, thrown, message) => {
  const warned = once(process, 'warning')
  warn(thrown)
  expect((await warned)[0]).toMatchObject({ name: 'Warning', message })
})
