import { expect, test } from 'vitest'
import { checkInteger, checkPositive, checkText } from './checks.ts'
import {
  applyRules,
  asGiven,
  type OptionRules,
  oneOf,
  optional,
  type Resolved,
  required,
  resolveOptions,
  withDefault,
} from './option-rules.ts'

interface Options {
  readonly id: string
  readonly ttl?: number | undefined
  readonly type?: 'shared' | 'private' | undefined
  readonly most?: number | undefined
  readonly hook?: (() => void) | undefined
}

type Settings = Resolved<Options, 'most' | 'hook'>

const rules: OptionRules<Options, Settings> = {
  id: required(checkText),
  ttl: withDefault(1_000, checkPositive),
  type: oneOf('shared', 'private'),
  most: optional(checkInteger, 1, 10),
  hook: asGiven,
}

test('puts in defaults, keeps what is given, and leaves out what may be', () => {
  const hook = () => {}
  expect(resolveOptions('', { id: 'a', ttl: undefined }, rules)).toEqual({
    id: 'a',
    ttl: 1_000,
    type: 'shared',
    most: undefined,
    hook: undefined,
  })
  const all: Options = { id: 'a', ttl: 5, type: 'private', most: 3, hook }
  expect(resolveOptions('', all, rules)).toEqual(all)
})

test.each([
  [{}, 'Expected `id` to be a string that is not empty, got undefined'],
  [{ id: 'a', ttl: 0 }, '`ttl`'],
  [{ id: 'a', ttl: null }, '`ttl` to be anything but null'],
  [{ id: 'a', type: 'other' }, "`type` to be one of 'shared', 'private'"],
  [{ id: 'a', most: 11 }, '`most` to be an integer from 1 to 10'],
  [{ id: 'a', tll: 5 }, 'did you mean `ttl`?'],
])('refuses %o by name', (options, message) => {
  expect(() => resolveOptions('', options as Options, rules)).toThrow(message)
  const nested = () => resolveOptions('cache', options as Options, rules)
  expect(nested).toThrow('`cache.')
})

test('takes no notice of others among options that are known', () => {
  const options = { id: 'a', other: 5 }
  expect(() => resolveOptions<Options, Settings>('', options, rules)).toThrow('`other`')
  expect(applyRules('', options, rules)).not.toHaveProperty('other')
  expect(() => applyRules('pool', { ...options, ttl: -1 }, rules)).toThrow('`pool.ttl`')
})
