import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ClockStep, StoreTimeline } from './store-timeline.ts'

/** Us by which the server's clock is ahead at first. */
const AHEAD = 8e13

/** Most calls are quick; some are long under way, in one direction or both. */
const way = fc.oneof({ weight: 4, arbitrary: fc.nat(20) }, fc.nat(9_000))
const step = fc.integer({ min: 1_500, max: 3_600_000 })

test('a clock that is not moved makes no step, however slow the calls are and in whatever order they are answered', () => {
  const call = fc.record({ after: fc.nat(5_000), there: way, back: way })
  fc.assert(
    fc.property(fc.array(call, { maxLength: 40 }), calls => {
      const clock = new VirtualClock()
      const timeline = new StoreTimeline(clock, 10_000_000)
      const found: (ClockStep | undefined)[] = []
      for (const { after, there, back } of calls) {
        clock.advance(after)
        const sent = clock.now()
        clock.setTimer(() => {
          const now = AHEAD + clock.now() * 1_000
          clock.setTimer(() => found.push(timeline.note(now, now, sent)), back)
        }, there)
      }
      clock.advance(20_000)
      expect(found.length).toBe(calls.length)
      expect(found.filter(found => found !== undefined)).toEqual([])
    }),
    { numRuns: runs(200) },
  )
})

test('a quick answer after a quick one finds any step of more than a second', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.nat(20), step, fc.boolean(), (there, back, ms, backwards) => {
      const clock = new VirtualClock()
      const timeline = new StoreTimeline(clock, 10_000_000)
      const call = (moved: number) => {
        const sent = clock.now()
        clock.advance(there)
        const now = AHEAD + clock.now() * 1_000 + moved
        clock.advance(back)
        return timeline.note(now, now, sent)
      }
      expect(call(0)).toBeUndefined()
      clock.advance(5_000)
      const by = (backwards ? -ms : ms) * 1_000
      const found = call(by)!
      expect(found.by - by).toBeGreaterThanOrEqual(-1)
      expect(found.by - by).toBeLessThanOrEqual(50_000)
      expect(timeline.shift).toBe(found.by)
      expect(call(by)).toBeUndefined()
    }),
    { numRuns: runs(100) },
  )
})

test('an answer that comes when later ones have come already is no step', () => {
  const clock = new VirtualClock()
  const timeline = new StoreTimeline(clock, 10_000_000)
  clock.advance(10_000)
  const late = AHEAD + clock.now() * 1_000
  for (let call = 0; call < 20; call++) {
    clock.advance(1_000)
    const now = AHEAD + clock.now() * 1_000
    expect(timeline.note(now, now, clock.now())).toBeUndefined()
  }
  expect(timeline.note(late, late, 10_000)).toBeUndefined()
  const now = AHEAD + clock.now() * 1_000
  expect(timeline.note(now, now, clock.now())).toBeUndefined()
  const [, earliest, latest, steps] = timeline.args(clock.now())
  expect([earliest - now, latest - now, steps]).toEqual([0, 0, ''])
})
