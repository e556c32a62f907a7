import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { warn } from './warn.ts'

/** What the process warns of until they are asked for, those of Node among them. */
function warnings(): () => Promise<Error[]> {
  const seen: Error[] = []
  const listen = (warning: Error): void => void seen.push(warning)
  process.on('warning', listen)
  return async () => {
    await new Promise(setImmediate)
    process.off('warning', listen)
    return seen
  }
}

test.each([
  ['an error', new TypeError('odd')],
  ['an error of another realm', runInNewContext('new TypeError("odd")')],
])('%s is the warning itself', async (_, error) => {
  const warned = warnings()
  warn(error)
  expect(await warned()).toContain(error)
})

test.each([
  ['a text', 'odd', 'odd'],
  ['undefined', undefined, 'undefined'],
  ['a symbol', Symbol('odd'), 'Symbol(odd)'],
  ['an object without a text', Object.create(null), 'object'],
  ['an object whose text throws', { toString: () => JSON.parse('{') }, 'object'],
])('%s is the text of one', async (_, thrown, message) => {
  const warned = warnings()
  warn(thrown)
  expect(await warned()).toContainEqual(expect.objectContaining({ name: 'Warning', message }))
})
