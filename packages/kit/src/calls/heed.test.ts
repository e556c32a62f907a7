import { expect, test } from 'vitest'
import { pathFilter } from '../http/path-filter.ts'
import { heed } from './heed.ts'

test('tells what is to be waited for, and hears what that rejects with', async () => {
  const failures: unknown[] = []
  const failed = (error: unknown) => failures.push(error)
  const boom = new Error('boom')
  // biome-ignore lint/suspicious/noThenProperty: what a callback might return
  const odd = { then: (_: unknown, reject: (error: Error) => void) => reject(boom) }
  expect([undefined, null, 5, {}, () => 1].map(value => heed(value, failed))).toEqual(
    Array(5).fill(false),
  )
  expect([Promise.reject(boom), odd, Promise.resolve(1)].map(value => heed(value, failed))).toEqual(
    Array(3).fill(true),
  )
  // Without a listener nothing is unhandled either.
  heed(Promise.reject(boom))
  await new Promise(resolve => setImmediate(resolve))
  expect(failures).toEqual([boom, boom])
})

test('an asynchronous filter of paths leaves no request out', () => {
  const ignored = pathFilter('ignore', (async () => true) as never)
  expect(ignored({ url: '/x', headers: {} } as never)).toBe(false)
  const failing = pathFilter('ignore', (async () => {
    throw new Error('boom')
  }) as never)
  expect(failing({ url: '/x', headers: {} } as never)).toBe(false)
})
