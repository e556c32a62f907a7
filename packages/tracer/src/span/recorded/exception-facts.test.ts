import { expect, test } from 'vitest'
import { exceptionAttributes } from './exception-facts.ts'

const boom = (): never => {
  throw new Error('not to be read')
}

function withGetter(key: string): Error {
  const error = new RangeError('too far')
  error.stack = 'at here'
  return Object.defineProperty(error, key, { get: boom })
}

const ALL = {
  'exception.type': 'RangeError',
  'exception.message': 'too far',
  'exception.stacktrace': 'at here',
}

test.each([
  ['name', { ...ALL, 'exception.type': undefined }],
  ['code', ALL],
  ['message', { ...ALL, 'exception.message': undefined }],
  ['stack', { ...ALL, 'exception.stacktrace': undefined }],
])('a getter of %s that throws takes nothing else with it', (key, facts) => {
  expect(exceptionAttributes(withGetter(key))).toEqual(facts)
})

test.each([
  ['E_FAR', 'E_FAR'],
  [7, '7'],
  // What says nothing leaves the class, as in OpenTelemetry.
  ['', 'RangeError'],
  [0, 'RangeError'],
  [null, 'RangeError'],
  // Neither text nor number, and hard to turn into text.
  [Object.create(null), 'RangeError'],
  [{ toString: boom }, 'RangeError'],
  [Symbol('s'), 'RangeError'],
])('a code %o makes the type %s', (code, type) => {
  const error = Object.assign(new RangeError('too far'), { code, stack: 'at here' })
  expect(exceptionAttributes(error)).toEqual({ ...ALL, 'exception.type': type })
})
