import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { TickerClock } from './ticker-clock.ts'

/** Waits without giving the event loop a turn: what is tested is that time does not wait for it. */
function block(until: () => boolean): void {
  const deadline = performance.now() + 60_000
  while (!until()) if (performance.now() > deadline) throw new Error('It did not happen')
}

test('time passes for code that never gives way, also in a loop that is compiled', () => {
  using clock = new TickerClock()
  block(() => clock.ticking)
  const cache = new Cache<string, number>({ ttl: 30, clock })
  const begun = performance.now()
  cache.set('a', 1)
  const found = cache.get('a')
  // What stalls the machine for longer may come between the two.
  if (performance.now() - begun < 30) expect(found).toBe(1)
  block(() => cache.get('a') === undefined)
  expect(cache.stats().removals.expired).toBe(1)
})

test('time is never ahead, and does not run back where the thread begins and ends', () => {
  const start = performance.now()
  const clock = new TickerClock({ interval: 2 })
  let last = clock.now()
  const check = (): void => {
    const now = clock.now()
    expect(now).toBeGreaterThanOrEqual(last)
    expect(now).toBeLessThanOrEqual(performance.now() - start)
    last = now
  }
  block(() => {
    check()
    return clock.ticking && last > 50
  })
  clock[Symbol.dispose]()
  block(() => {
    check()
    return !clock.ticking
  })
})

test('the thread does not keep a process alive', async () => {
  const file = new URL('./ticker-clock.ts', import.meta.url).href
  const program = `import { TickerClock } from ${JSON.stringify(file)}
    const clock = new TickerClock()
    console.log(clock.now() >= 0)`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program],
    { timeout: 60_000 },
  )
  expect(stdout).toBe('true\n')
})

test.each([0, -1, 1.5, 1_001, Number.NaN])('an interval of %s is refused', interval => {
  expect(() => new TickerClock({ interval })).toThrow(
    'Expected `interval` to be an integer from 1 to 1,000',
  )
})
