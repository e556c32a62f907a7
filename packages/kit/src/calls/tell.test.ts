import { expect, test } from 'vitest'
import { tell } from './tell.ts'

const error = new Error('of the listener')

test('a listener is told at once', () => {
  const seen: number[] = []
  tell(event => seen.push(event), 1)
  expect(seen).toEqual([1])
})

test.each([
  [
    'throws',
    () => {
      throw error
    },
  ],
  ['rejects', async () => Promise.reject(error)],
  [
    'returns what throws when it is waited for',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: what a listener might return
      then() {
        throw error
      },
    }),
  ],
])('a listener that %s fails nothing but itself', async (_, listener) => {
  const failures: unknown[] = []
  const warned = new Promise<void>(resolve => {
    const listen = (warning: Error): void => {
      if (warning !== error) return
      process.off('warning', listen)
      resolve()
    }
    process.on('warning', listen)
  })
  tell(listener, undefined, failure => failures.push(failure))
  tell(listener, undefined)
  // An unhandled rejection would have failed the run.
  await warned
  expect(failures).toEqual([error])
})
