import { HttpPool } from '@millrace/http-pool'
import { KeyedLimiter, Semaphore, TokenBucket } from '@millrace/rate-limit'
import { JobScheduler } from '@millrace/rate-limit/jobs'
import { describe, expect, test } from 'vitest'
import { constructors, optionNames, thrown } from './constructors.fixture.ts'
import { published, sources } from './published.fixture.ts'

/** Every option of the family that is a `timeout`, by the interface that has it. */
const timeouts = Object.keys(constructors).flatMap(label =>
  optionNames(label)
    .filter(name => /(?:^t|T)imeout$/.test(name))
    .map(name => [label, name] as const),
)

/** What is shared and may hang: a store, Redis, a collector, a lock of another process, the end of a process, an idle connection. */
function mayHang(label: string, name: string): boolean {
  if (/^(store|near|far|busy|wait|exit|keepAlive|keepAliveMax)Timeout$/.test(name)) return true
  return (
    name === 'timeout' && /^(Keyv|CoherenceGroup|Connection|Redis|Otlp|RetryOptions)/.test(label)
  )
}

/** Where a call can be answered without any wait: 0 is none. */
function mayGoOn(label: string, name: string): boolean {
  if (name === 'timeout') return /^(Limited|Concurrent)Options$/.test(label)
  return /^(soft|open)Timeout$/.test(name)
}

const refused = (name: string, expected: string) =>
  expect.objectContaining({
    code: 'ERR_MILLRACE_INVALID_OPTION',
    option: expect.stringMatching(new RegExp(`(^|\\.)${name}$`)),
    expected: expect.stringContaining(expected),
  })

test('there are timeouts of each kind', () => {
  const kinds = timeouts.map(([label, name]) => [mayHang(label, name), mayGoOn(label, name)].join())
  expect(new Set(kinds)).toEqual(new Set(['true,false', 'false,true', 'false,false']))
  expect(timeouts.length).toBeGreaterThan(40)
})

describe.each(timeouts)('%s: %s', (label, name) => {
  const make = (value: number) => thrown(() => constructors[label]!({ [name]: value }))

  test('takes Infinity for no limit, unless what it bounds is shared and may hang', () => {
    expect(make(Infinity)).toEqual(mayHang(label, name) ? refused(name, 'finite') : undefined)
  })

  test('takes 0 where a call can do without waiting, and never for no limit', () => {
    expect(make(0)).toEqual(mayGoOn(label, name) ? undefined : refused(name, ''))
  })
})

describe('timeouts of single calls', () => {
  const bucket = new TokenBucket({ rate: 1 })
  const keyed = new KeyedLimiter({ rate: 1 })
  const semaphore = new Semaphore({ permits: 1 })
  const jobs = new JobScheduler()
  const pool = new HttpPool()

  test('0 does not wait for a permit, and Infinity is no limit', async () => {
    for (const timeout of [0, Infinity]) {
      expect(bucket.tryAcquire(0)).toBeTruthy()
      await new TokenBucket({ rate: 1 }).acquire(1, { timeout })
      await keyed.acquire(`key ${timeout}`, 1, { timeout })
      await semaphore.run(() => undefined, { timeout })
    }
  })

  test('of a job is above 0, as each begins in a later turn', async () => {
    await expect(jobs.schedule(() => 7, { timeout: 0 })).rejects.toEqual(refused('timeout', 'Inf'))
    await expect(jobs.schedule(() => 7, { timeout: Infinity })).resolves.toBe(7)
  })

  test.each(['acquireTimeout', 'headersTimeout', 'bodyTimeout', 'totalTimeout'])(
    '%s of a request is above 0',
    async name => {
      const request = pool.request('http://127.0.0.1:1', { [name]: 0 })
      await expect(request).rejects.toEqual(refused(name, 'Infinity'))
    },
  )
})

/** What stands above a property and above the interface that has it. */
function docsOf(text: string, index: number, own: string): string {
  const head = text.slice(0, text.lastIndexOf('\nexport interface ', index)).trimEnd()
  return own + (head.endsWith('*/') ? head.slice(head.lastIndexOf('/**')) : '')
}

test('every timeout says whether Infinity is one, and that it is above 0 or what 0 is', () => {
  const silent = published.flatMap(each =>
    [...sources(each)].flatMap(([file, text]) => {
      const found = text.matchAll(
        /\/\*\*((?:(?!\*\/).)*)\*\/\s+readonly (\w*[tT]imeout)\?: number/gs,
      )
      return Array.from(found)
        .filter(({ index, 1: own }) => {
          const docs = docsOf(text, index, own!)
          if (docs.includes('See {@link')) return false
          return !(/Infinity|finite/.test(docs) && /\b0\b|1 or more/.test(docs))
        })
        .map(([, , name]) => `${each.name} ${file} ${name}`)
    }),
  )
  expect(silent).toEqual([])
})
