import { expect, test } from 'vitest'
import { constructors, optionNames, thrown } from './constructors.fixture.ts'

const breakers = Object.keys(constructors).filter(name => name.endsWith('BreakerOptions'))

test('every breaker is switched and set up alike', () => {
  expect(breakers).toHaveLength(4)
  for (const name of breakers) {
    expect([name, optionNames(name)]).toEqual([
      name,
      expect.arrayContaining(['failures', 'cooldown']),
    ])
    const make = constructors[name] as (breaker: unknown) => unknown
    for (const right of [true, false, {}, undefined, { failures: Infinity }, { failures: 1 }]) {
      expect([name, right, thrown(() => make(right))]).toEqual([name, right, undefined])
    }
    const wrong = [{ failures: 0 }, { failures: 0.5 }, { cooldown: 0 }, { cooldown: Infinity }, 1]
    for (const value of wrong) {
      const error = { code: 'ERR_MILLRACE_INVALID_OPTION' }
      expect([name, value, thrown(() => make(value))]).toEqual([
        name,
        value,
        expect.objectContaining(error),
      ])
    }
  }
})
