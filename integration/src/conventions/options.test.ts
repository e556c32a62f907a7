import { inspect } from 'node:util'
import * as core from '@millrace/cache-core'
import * as files from '@millrace/cache-files'
import * as redis from '@millrace/cache-redis'
import * as http from '@millrace/http-pool'
import * as metrics from '@millrace/perf-metrics'
import * as limit from '@millrace/rate-limit'
import * as tracer from '@millrace/tracer'
import { describe, expect, test } from 'vitest'
import { constructors, optionNames, thrown } from './constructors.fixture.ts'

const secret = 'Bearer eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXBheWxvYWQ.SIGNATURE-0123456789abcdef'

/** Every class of the family called InvalidOptionError. */
const errorClasses = [core, files, redis, http, metrics, limit, tracer].map(
  module => module.InvalidOptionError,
)

describe.each(Object.entries(constructors))('%s', (interfaceName, make) => {
  test('lists its options in api.md', () => {
    expect(optionNames(interfaceName)).not.toEqual([])
  })

  test('keeps a credential given to any wrong option out of what is logged', () => {
    for (const name of optionNames(interfaceName)) {
      // Any string is right for these, and a file of that name would be made.
      if (/^(path|folder|cacheFolder)$/.test(name)) continue
      const error = thrown(() => make({ [name]: secret }))
      // A path or URL may stand in the error of what was done with it; an option of the wrong kind may not.
      if (!(error instanceof core.InvalidOptionError)) continue
      const logged = `${(error as Error).message} ${inspect(error, { showHidden: true, depth: 9 })}`
      expect([name, logged.includes('SIGNATURE')]).toEqual([name, false])
    }
  })

  test('refuses an option it does not have, by an error that every package knows as its own', () => {
    const error = thrown(() => make({ maximalNumberOfThings: secret }))
    expect(error).toMatchObject({
      code: 'ERR_MILLRACE_INVALID_OPTION',
      option: 'maximalNumberOfThings',
    })
    for (const InvalidOptionError of errorClasses) expect(error).toBeInstanceOf(InvalidOptionError)
    expect(inspect(error)).not.toContain('SIGNATURE')
  })

  test('refuses what no option takes, null and a symbol, by an error that names the option', () => {
    for (const name of optionNames(interfaceName)) {
      for (const value of [null, Symbol('wrong')]) {
        const error = thrown(() => make({ [name]: value })) as core.InvalidOptionError
        expect([name, error?.code]).toEqual([name, 'ERR_MILLRACE_INVALID_OPTION'])
        expect(error.message).toContain(name)
      }
    }
  })

  test('takes a clock that tells and measures time, and no other', () => {
    if (!optionNames(interfaceName).includes('clock')) return
    for (const clock of [{}, [], 'x', -1, () => 0, { now: 1 }]) {
      expect(thrown(() => make({ clock }))).toMatchObject({ option: 'clock' })
    }
  })

  test('names the nearest option where one is misspelt', () => {
    for (const name of optionNames(interfaceName).filter(option => option.length > 5)) {
      const misspelt = `${name.slice(0, 2)}q${name.slice(3)}`
      expect((thrown(() => make({ [misspelt]: 1 })) as Error).message).toContain(`\`${name}\``)
    }
  })
})
