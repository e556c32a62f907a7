import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../random/runs.ts'
import { VirtualClock } from './virtual-clock.ts'

describe('VirtualClock', () => {
  test('timers run in order of due time, then of creation, each at its own time', () => {
    const clock = new VirtualClock(1_000)
    const log: [string, number][] = []
    const note = (name: string) => () => log.push([name, clock.now()])
    clock.setTimer(note('late'), 30)
    clock.setTimer(note('first of two'), 10)
    clock.setTimer(note('second of two'), 10)
    clock.advance(20)
    expect(log).toEqual([
      ['first of two', 1_010],
      ['second of two', 1_010],
    ])
    expect([clock.now(), clock.pending, clock.next]).toEqual([1_020, 1, 1_030])
  })

  test('a timer set by a timer runs in the same advance when it is due', () => {
    const clock = new VirtualClock()
    const ticks: number[] = []
    const tick = () => {
      ticks.push(clock.now())
      clock.setTimer(tick, 10)
    }
    clock.setTimer(tick, 10)
    clock.advance(35)
    expect(ticks).toEqual([10, 20, 30])
  })

  test('a cancelled timer does not run, and cancelling twice or late is harmless', () => {
    const clock = new VirtualClock()
    let ran = 0
    const timer = clock.setTimer(() => ran++, 5)
    const other = clock.setTimer(() => ran++, 5)
    timer.cancel()
    timer.cancel()
    clock.advance(5)
    other.cancel()
    expect([ran, clock.pending]).toEqual([1, 0])
  })

  test('advanceAsync lets promise chains continue between timers', async () => {
    const clock = new VirtualClock()
    const sleep = (ms: number) => new Promise<void>(resolve => clock.setTimer(resolve, ms))
    const times: number[] = []
    const loop = (async () => {
      for (let i = 0; i < 3; i++) {
        await sleep(10)
        times.push(clock.now())
      }
    })()
    await clock.advanceAsync(30)
    await loop
    expect(times).toEqual([10, 20, 30])
  })

  test('a jump runs no timer, and an overdue timer keeps the later time', () => {
    const clock = new VirtualClock()
    let at = -1
    clock.setTimer(() => (at = clock.now()), 10)
    clock.jumpTo(100)
    expect(at).toBe(-1)
    clock.advance(0)
    expect(at).toBe(100)
  })

  test('it refuses to move backwards', () => {
    expect(() => new VirtualClock().advance(-1)).toThrow('Expected `ms` to be at least 0, got -1')
  })

  test('any set of timers runs sorted, whatever was cancelled', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.boolean())), plan => {
        const clock = new VirtualClock()
        const ran: [number, number][] = []
        const timers = plan.map(([delay], index) =>
          clock.setTimer(() => ran.push([clock.now(), index]), delay),
        )
        plan.forEach(([, cancelled], index) => {
          if (cancelled) timers[index]!.cancel()
        })
        clock.advance(50)
        const expected = plan
          .map(([delay, cancelled], index) => ({ delay, cancelled, index }))
          .filter(timer => !timer.cancelled)
          .sort((a, b) => a.delay - b.delay || a.index - b.index)
        expect(ran).toEqual(expected.map(timer => [timer.delay, timer.index]))
      }),
      { numRuns: runs(200) },
    )
  })
})
