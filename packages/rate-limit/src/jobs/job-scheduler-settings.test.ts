import { expect, test } from 'vitest'
import { InvalidOptionError, LimiterClosedError } from '../errors.ts'
import { JobBatcher } from './job-batcher.ts'
import { JobGroup } from './job-group.ts'
import { JobScheduler } from './job-scheduler.ts'

/** Long against any test: nothing is refilled. */
const AN_HOUR = 3_600_000

test('a reservoir is refilled after its settings were changed, and keeps what waits', async () => {
  await using scheduler = new JobScheduler({ reservoir: { refreshAmount: 5, interval: 250 } })
  const log: number[] = []
  const jobs = Array.from({ length: 15 }, (_, i) => scheduler.schedule(() => log.push(i)))
  await jobs[4]
  await scheduler.updateSettings({ maxConcurrent: 3 })
  await Promise.all(jobs)
  expect(log).toEqual(Array.from({ length: 15 }, (_, i) => i))
  expect(scheduler.stats()).toMatchObject({ done: 15, waiting: 0 })
})

test('changes that are made at once are all in force afterwards', async () => {
  const refill = { refreshAmount: 5, interval: AN_HOUR }
  await using scheduler = new JobScheduler({ reservoir: { ...refill, initial: 0 } })
  const log: number[] = []
  const jobs = Array.from({ length: 5 }, (_, i) => scheduler.schedule(() => log.push(i)))
  await Promise.all([
    scheduler.updateSettings({ maxConcurrent: 2 }),
    scheduler.updateSettings({ reservoir: { ...refill, initial: 5 } }),
  ])
  await Promise.all(jobs)
  expect(log).toEqual([0, 1, 2, 3, 4])
  await expect(scheduler.schedule(() => {}, { weight: 3 })).rejects.toThrow('`maxConcurrent`, 2')
})

test('a setting that is undefined stays as it was', async () => {
  await using scheduler = new JobScheduler({ maxConcurrent: 2 })
  await scheduler.updateSettings({ maxConcurrent: undefined, maxQueue: 5 })
  await expect(scheduler.schedule(() => {}, { weight: 3 })).rejects.toThrow('`maxConcurrent`, 2')
})

test('a change that is refused changes nothing, nor does one after closing', async () => {
  const scheduler = new JobScheduler({ maxConcurrent: 2 })
  const changes = [
    scheduler.updateSettings({ minTime: 1 }),
    scheduler.updateSettings({ maxConcurrent: 3 }),
  ]
  const outcomes = await Promise.allSettled(changes)
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(await scheduler.schedule(() => 'runs', { weight: 3 })).toBe('runs')
  await scheduler.close()
  await expect(scheduler.updateSettings({ maxConcurrent: 4 })).rejects.toThrow(LimiterClosedError)
})

test('a misspelt option is refused, and so are bottleneck’s names for ours', async () => {
  const refused = (name: string, hint = '') =>
    `Expected \`${name}\` to be absent, as there is no such option${hint}`
  const misspelt = { maxConcurent: 1 } as object
  const theirs = { highWater: 1 } as object
  const hint = ' (did you mean `maxConcurrent`?)'
  expect(() => new JobScheduler(misspelt)).toThrow(refused('maxConcurent', hint))
  expect(() => new JobScheduler(theirs)).toThrow(refused('highWater'))
  expect(() => new JobGroup(misspelt)).toThrow(refused('maxConcurent', hint))
  expect(() => new JobGroup({ idles: 1 } as object)).toThrow(
    refused('idles', ' (did you mean `idle`?)'),
  )
  expect(() => new JobBatcher({ size: 1, run() {} } as never)).toThrow(refused('size'))
  const reservoir = { interval: 250, refreshAmount: 1, max: 1 } as never
  expect(() => new JobScheduler({ reservoir })).toThrow(refused('reservoir.max'))

  await using scheduler = new JobScheduler({ maxConcurrent: 2 })
  await expect(scheduler.schedule(() => {}, { wait: 1 } as object)).rejects.toThrow(refused('wait'))
  // What may be changed is less than what may be given.
  await expect(scheduler.updateSettings({ id: 'b' } as object)).rejects.toThrow(refused('id'))
  expect(await scheduler.schedule(() => 'runs', { weight: 2 })).toBe('runs')
})

test('what is no reservoir and no signal is refused by name', async () => {
  const scheduler = new JobScheduler()
  for (const wrong of [null, 0, Number.NaN, '', 'x']) {
    expect(() => new JobScheduler({ reservoir: wrong as never })).toThrow(InvalidOptionError)
    const job = scheduler.schedule(() => {}, { signal: wrong as never })
    await expect(job).rejects.toThrow(InvalidOptionError)
  }
  await scheduler.close()
})

test.each([1, undefined, null, Symbol('key')])('a key of a group is a string, not %s', key => {
  expect(() => new JobGroup().key(key as never)).toThrow(InvalidOptionError)
})

test('a group refuses what its schedulers would, before the first key', () => {
  const wrong: Readonly<Record<string, unknown>> = {
    id: 7,
    clock: 5,
    expiration: 'x',
    redis: {},
    retry: 1,
    onError: 1,
    maxConcurrent: 0,
    minTime: 1,
    maxQueue: -1,
    strategy: 'none',
    penalty: -1,
    reservoir: { interval: 1 },
  }
  for (const [name, value] of Object.entries(wrong)) {
    const error = { code: 'ERR_MILLRACE_INVALID_OPTION' }
    expect(() => new JobGroup({ [name]: value }), name).toThrow(expect.objectContaining(error))
    expect(() => new JobScheduler({ [name]: value }), name).toThrow(expect.objectContaining(error))
  }
})
