import { expect, test } from 'vitest'
import { IdSource } from './id-source.ts'

/** All a source can give but for the last few. */
const NEARLY_ALL = 0x7fff_fffe - 3

test('a source that is used up is followed by one that counts the other way, with ids of its own', () => {
  const source = new IdSource(1, NEARLY_ALL)
  const serials = [source.next(), source.next(), source.next(), source.next()]
  expect(serials).toEqual([0x7fff_fffc, 0x7fff_fffd, 0x7fff_fffe, 0])
  const { successor } = source
  expect(source.successor).toBe(successor)
  expect([successor.next(), successor.next()]).toEqual([-1, -2])
  const words = (ids: IdSource, serial: number) => [0, 1, 2, 3].map(i => ids.traceWord(serial, i))
  const all = [
    ...serials.slice(0, 3).map(serial => words(source, serial)),
    ...[-1, -2, -3].map(serial => words(successor, serial)),
  ]
  expect(new Set(all.map(String)).size).toBe(6)
  const last = new IdSource(-1, NEARLY_ALL)
  expect([last.next(), last.next(), last.next(), last.next()]).toEqual([
    -0x7fff_fffc, -0x7fff_fffd, -0x7fff_fffe, 0,
  ])
  expect(last.successor.next()).toBe(1)
})

test('the sign of a serial tells its source, also after one was used up', () => {
  const first = IdSource.shared()
  expect(IdSource.shared()).toBe(first)
  expect(IdSource.of(first.next())).toBe(first)
  // As if all serials had been taken.
  const { successor } = first
  expect(IdSource.of(successor.next())).toBe(successor)
  expect(IdSource.of(1)).toBe(first)
  const third = successor.successor
  expect(IdSource.of(1)).toBe(third)
  expect(IdSource.of(-1)).toBe(successor)
  expect(IdSource.shared()).toBe(third)
  // One that no tracer takes from leaves the shared ones alone.
  new IdSource(1, NEARLY_ALL).successor.next()
  expect(IdSource.of(-1)).toBe(successor)
})
