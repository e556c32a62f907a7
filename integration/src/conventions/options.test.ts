import { inspect } from 'node:util'
import * as core from '@millrace/cache-core'
import * as files from '@millrace/cache-files'
import * as redis from '@millrace/cache-redis'
import * as http from '@millrace/http-pool'
import * as metrics from '@millrace/perf-metrics'
import * as limit from '@millrace/rate-limit'
import * as tracer from '@millrace/tracer'
import { describe, expect, test } from 'vitest'
import { constructors, optionInterfaces, optionNames, thrown } from './constructors.fixture.ts'

const secret = 'Bearer eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXBheWxvYWQ.SIGNATURE-0123456789abcdef'

/** Every class of the family called InvalidOptionError. */
const errorClasses = [core, files, redis, http, metrics, limit, tracer].map(
  module => module.InvalidOptionError,
)

/** What would throw were it turned into a text. */
const unprintable = {
  toString: refuse,
  toJSON: refuse,
  valueOf: refuse,
  [Symbol.toPrimitive]: refuse,
  [inspect.custom]: refuse,
}

function refuse(): never {
  throw new Error(secret)
}

/** Values of kinds and sizes that options are rarely tried with. */
const oddities: Readonly<Record<string, unknown>> = {
  bigint: 10n ** 30n,
  'minus zero': -0,
  'not a number': NaN,
  'less than nothing': -1,
  'minus infinity': -Infinity,
  'part of one': 0.5,
  'next to nothing': Number.MIN_VALUE,
  'beyond timers': 2 ** 31,
  'beyond integers': 2 ** 53,
  'empty text': '',
  'text in an object': new String(secret),
  'no date': new Date(NaN),
  'list of texts': [secret],
  'list with a hole': new Array(1),
  map: new Map([[secret, secret]]),
  bytes: Buffer.from(secret),
  'regular expression': /SIGNATURE/,
  url: new URL('http://user:SIGNATURE@host.test/'),
  error: new Error(secret),
  instance: new (class {
    readonly held = secret
  })(),
  'without a prototype': Object.create(null),
  'named after the secret': { constructor: { name: secret } },
  unprintable,
}

/** Interfaces of options whose names and values are checked elsewhere, and by what. */
const elsewhere: Readonly<Record<string, RegExp>> = {
  'is a part of those that extend or name it':
    /^(LifetimeOptions|PackingOptions|KeepingOptions|ValueOptions|LabelOptions|LimiterOptions|JobSettings|Shared(Buckets|Windows)Options|StoreGuardOptions|Redis(Bus|Lease|Store)Options|SeenLimitOptions|Fastify\w+)$/,
  'is given to a call, whose promise rejects: its package tests that':
    /^(Call|HttpCall|ChangedByGit|Warm|WorkspaceWarm|ResultStream|LeaseCall|Json|Request|Scrape|Acquire|SemaphoreAcquire|Job|Store(Call|Clear|Keys|Set))Options$/,
  'has required options, which its package tests': /^ReportedOptions$/,
  'is of the constructor of an error': /^FileReadErrorOptions$/,
  'is of a call on a hot path, which never throws': /^(Span|Start)Options$/,
  'is tested by rate-limit': /^(ClientAddress|KeyedSemaphore|RedisKeyedSemaphore|Refusing)Options$/,
}

test('every interface of options is tried here, or it is known where', () => {
  const known = Object.values(elsewhere)
  const untried = optionInterfaces().filter(label => {
    const [, name = ''] = label.split(' ')
    return !(label in constructors || name in constructors || known.some(of => of.test(name)))
  })
  expect(untried).toEqual([])
})

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
      option: expect.stringMatching(/(^|\.)maximalNumberOfThings$/),
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

  test('takes or refuses whatever else comes, and shows nothing of it', () => {
    for (const name of optionNames(interfaceName)) {
      // What a program's own options hold is for its queries to say.
      if (interfaceName === 'GraphOptions' && name === 'options') continue
      for (const [kind, value] of Object.entries(oddities)) {
        const error = thrown(() => make({ [name]: value })) as core.InvalidOptionError | undefined
        if (error === undefined) continue
        expect([name, kind, error.code]).toEqual([name, kind, 'ERR_MILLRACE_INVALID_OPTION'])
        const logged = `${error.message} ${inspect(error, { showHidden: true, depth: 9 })}`
        expect([name, kind, logged.includes('SIGNATURE')]).toEqual([name, kind, false])
        // Another one where its bounds follow from this.
        const named = optionNames(interfaceName).some(option => error.option.includes(option))
        expect([name, kind, error.option, named]).toEqual([name, kind, error.option, true])
      }
    }
  })

  test('lets the error of a getter through as it is', () => {
    for (const name of optionNames(interfaceName)) {
      const own = new Error('own')
      const options = Object.defineProperty({}, name, {
        enumerable: true,
        get() {
          throw own
        },
      })
      expect([name, thrown(() => make(options))]).toEqual([name, own])
    }
  })

  test('takes options of any shape that holds names and values', () => {
    const frozen = Object.freeze(Object.create(null) as Record<string, unknown>)
    for (const options of [frozen, new (class Options {})() as Record<string, unknown>]) {
      expect(thrown(() => make(options))).toEqual(thrown(() => make({})))
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
      const misspelt = `${name.slice(0, 2)}0${name.slice(3)}`
      expect((thrown(() => make({ [misspelt]: 1 })) as Error).message).toContain(`\`${name}\``)
    }
  })
})
