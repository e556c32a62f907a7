import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { TimeSource } from '@millrace/kit'
import { VirtualClock } from '@millrace/testkit'
import { expect, it, type Mock, vi } from 'vitest'
import { LoadTimeoutError } from '../errors.ts'
import { BlockedClock } from '../time/blocked-clock.fixture.ts'
import { Deadlines, type Expiring } from './deadlines.ts'

const start = (clock: TimeSource): Expiring & { abort: Mock<(reason: unknown) => void> } => ({
  started: clock.now(),
  awaited: true,
  abort: vi.fn<(reason: unknown) => void>(),
})

it('aborts each load at its own deadline with one timer per duration', () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock, timeout => new LoadTimeoutError(timeout))
  const loads = Array.from({ length: 5 }, () => {
    const load = start(clock)
    deadlines.add(load, 100)
    clock.advance(10)
    return load
  })
  const long = start(clock)
  deadlines.add(long, 1_000)
  expect(clock.pending).toBe(2)
  deadlines.remove(loads[0]!, 100)
  deadlines.remove(loads[2]!, 100)
  clock.advance(59)
  expect(loads.map(load => load.abort.mock.calls.length)).toEqual([0, 0, 0, 0, 0])
  clock.advance(1)
  expect(loads.map(load => load.abort.mock.calls.length)).toEqual([0, 1, 0, 0, 0])
  clock.advance(30)
  expect(loads.map(load => load.abort.mock.calls.length)).toEqual([0, 1, 0, 1, 1])
  expect(loads[1]!.abort).toHaveBeenCalledWith(expect.objectContaining({ timeout: 100 }))
  deadlines.remove(long, 1_000)
  clock.advance(1_000)
  expect(long.abort).not.toHaveBeenCalled()
  expect(clock.pending).toBe(0)
})

it('counts a load that begins while others are aborted', () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock, timeout => new LoadTimeoutError(timeout))
  const first = start(clock)
  const second = { ...start(clock), started: 100 }
  first.abort.mockImplementation(() => deadlines.add(second, 100))
  deadlines.add(first, 100)
  clock.advance(100)
  expect([first.abort.mock.calls.length, second.abort.mock.calls.length]).toEqual([1, 0])
  expect(clock.pending).toBe(1)
  clock.advance(100)
  expect(second.abort).toHaveBeenCalledTimes(1)
})

it('does not wait longer when the clock is set back', () => {
  const clock = new VirtualClock(1_000_000)
  let setBack = 0
  const wall = { now: () => clock.now() - setBack, setTimer: clock.setTimer.bind(clock) }
  const deadlines = new Deadlines(wall, timeout => new LoadTimeoutError(timeout))
  const loads = [0, 50].map(() => {
    const load = { ...start(clock), started: wall.now() }
    deadlines.add(load, 100)
    clock.advance(50)
    return load
  })
  setBack = 3_600_000
  clock.advance(100)
  expect(loads.map(load => load.abort.mock.calls.length)).toEqual([1, 1])
})

it('waits once more for results that could not be read while the thread was blocked', () => {
  const clock = new BlockedClock()
  const deadlines = new Deadlines(clock, timeout => new LoadTimeoutError(timeout))
  const begin = () => {
    const load = { ...start(clock), abort: vi.fn<(reason: unknown) => void>() }
    deadlines.add(load, 100)
    return load
  }
  const [done, hanging] = [begin(), begin()]
  clock.block(160)
  expect(done.abort).not.toHaveBeenCalled()
  deadlines.remove(done, 100)
  const later = begin()
  clock.block(60)
  expect(done.abort).not.toHaveBeenCalled()
  expect(hanging.abort).toHaveBeenCalledOnce()
  expect(later.abort).not.toHaveBeenCalled()
  clock.block(41)
  expect(later.abort).toHaveBeenCalledOnce()
  expect(clock.pending).toBe(0)
})

it('tells who awaits a load that hangs in a process with nothing else to do, and holds no other process', async () => {
  const program = `
    import { Cache } from '${join(import.meta.dirname, '..', 'index.ts')}'
    const hung = () => new Promise(() => {})
    const cache = new Cache({ staleWhileRevalidate: 60_000 })
    for (const load of [
      () => cache.getOrLoad('k', hung, { hardTimeout: 150 }),
      () => cache.getOrLoadMany(['k', 'l'], hung, { hardTimeout: 100 }),
    ]) await load().catch(error => console.log(error.name))
    await cache.set('old', 1).expire('old')
    console.log(await cache.getOrLoad('old', hung, { hardTimeout: 3_600_000 }), cache.stats().loading)
    cache.getOrLoad('left', hung, { hardTimeout: 3_600_000, signal: AbortSignal.abort() }).catch(() => {})
  `
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=millrace-source',
    '--input-type=module',
    '--eval',
    program,
  ])
  expect(stdout).toBe('LoadTimeoutError\nPartialLoadError\n1 1\n')
})

it.each<[string, string, string]>([
  [
    'a tier, and its soft timeout, over the clocks that there are',
    `
    const store = new MemoryStore()
    for (const clock of [monotonicClock, wallClock, turnClock, new TickerClock()]) {
      const cache = new TieredCache({ store, hardTimeout: 30, softTimeout: 10, staleWhileRevalidate: 60_000, clock })
      await cache.getOrLoad('a', hung).catch(({ name }) => console.log(name))
      await cache.getOrLoadMany(['a', 'b'], hung).catch(({ name }) => console.log(name))
      await cache.set('old', 1)
      await cache.expire('old')
      console.log(await cache.getOrLoad('old', hung, { hardTimeout: 3_600_000 }))
    }`,
    'LoadTimeoutError\nPartialLoadError\n1\n'.repeat(4),
  ],
  [
    'a tier that is closed',
    `
    const cache = new TieredCache({ store: new MemoryStore(), hardTimeout: 3_600_000 })
    const answer = cache.getOrLoad('a', hung)
    await cache.close()
    await answer.catch(({ name }) => console.log(name))`,
    'CacheClosedError\n',
  ],
  [
    'a warm-up that comes to its time limit, in a load or while its workers rest',
    `
    for (const traffic of [() => 0, () => 9]) {
      console.log((await new Warmer({ load: hung, timeLimit: 20, traffic }).warm([1])).stopped)
    }`,
    'time\ntime\n',
  ],
])('a process that only awaits %s goes on until it is told', async (_name, program, told) => {
  const args = [
    '--conditions=millrace-source',
    '--input-type=module',
    '--eval',
    `
    import { monotonicClock, turnClock, wallClock } from '@millrace/cache-core'
    import { MemoryStore } from '@millrace/cache-core/memory'
    import { TickerClock } from '@millrace/cache-core/ticker'
    import { TieredCache } from '@millrace/cache-core/tiered'
    import { Warmer } from '@millrace/cache-core/warm'
    const hung = () => new Promise(() => {})
    ${program}`,
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: import.meta.dirname,
  })
  expect(stdout).toBe(told)
})
