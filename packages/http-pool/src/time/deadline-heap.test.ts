import { monotonicClock } from '@millrace/kit'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeadlineHeap, type Timed } from './deadline-heap.ts'

class Entry implements Timed {
  deadline = 0
  heapIndex = -1
  calledAt: number | undefined
  readonly onCall: ((entry: Entry) => void) | undefined

  constructor(onCall?: (entry: Entry) => void) {
    this.onCall = onCall
  }

  onDeadline(now: number): void {
    this.calledAt = now
    this.onCall?.(this)
  }
}

describe('DeadlineHeap', () => {
  test('calls each entry at its deadline, in order, behind one timer', () => {
    const step = fc.record({
      entry: fc.integer({ min: 0, max: 19 }),
      action: fc.constantFrom('schedule', 'schedule', 'cancel', 'advance'),
      time: fc.integer({ min: 0, max: 50 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const clock = new VirtualClock(1_000)
        const heap = new DeadlineHeap(clock)
        const due = new Map<Entry, number>()
        const entries = Array.from(
          { length: 20 },
          () =>
            new Entry(entry => {
              expect(clock.now()).toBeGreaterThanOrEqual(due.get(entry)!)
              expect(due.delete(entry)).toBe(true)
            }),
        )
        for (const { entry: index, action, time } of steps) {
          const entry = entries[index]!
          if (action === 'schedule') {
            heap.schedule(entry, clock.now() + time)
            due.set(entry, clock.now() + time)
          } else if (action === 'cancel') {
            heap.cancel(entry)
            due.delete(entry)
          } else {
            clock.advance(time)
            // The timer has a grain of a millisecond, as setTimeout has.
            for (const deadline of due.values()) expect(deadline).toBeGreaterThan(clock.now() - 1)
          }
          expect(heap.size).toBe(due.size)
          expect(clock.pending).toBeLessThanOrEqual(1)
        }
        clock.advance(100)
        expect(due.size).toBe(0)
        expect(heap.size).toBe(0)
      }),
      { numRuns: runs(300) },
    )
  })

  test('never calls early in real time', async () => {
    const heap = new DeadlineHeap(monotonicClock)
    const late: number[] = []
    await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        const entry = new Entry(({ deadline, calledAt }) => {
          late.push(calledAt! - deadline)
          resolve()
        })
        heap.schedule(entry, monotonicClock.now() + 5 + i / 7)
        return promise
      }),
    )
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
  })

  test('an entry may schedule itself and others while it is called', () => {
    const clock = new VirtualClock()
    const heap = new DeadlineHeap(clock)
    const other = new Entry()
    const entry = new Entry(self => {
      if (clock.now() < 30) heap.schedule(self, clock.now() + 10)
      heap.schedule(other, clock.now() + 5)
    })
    heap.schedule(entry, 10)
    clock.advance(100)
    expect(entry.calledAt).toBe(30)
    expect(other.calledAt).toBe(35)
    expect(clock.pending).toBe(0)
  })

  test('a callback that throws does not stop the others', () => {
    const clock = new VirtualClock()
    const heap = new DeadlineHeap(clock)
    const other = new Entry()
    heap.schedule(
      new Entry(() => {
        throw new Error('broken')
      }),
      10,
    )
    heap.schedule(other, 20)
    expect(() => clock.advance(15)).toThrow('broken')
    clock.advance(10)
    expect(other.calledAt).toBe(20)
  })

  test('waits longer than a native timer can', () => {
    const clock = new VirtualClock()
    const heap = new DeadlineHeap(clock)
    const entry = new Entry()
    heap.schedule(entry, 2 ** 33)
    clock.advance(2 ** 33 - 1)
    expect(entry.calledAt).toBeUndefined()
    clock.advance(1)
    expect(entry.calledAt).toBe(2 ** 33)
  })
})
