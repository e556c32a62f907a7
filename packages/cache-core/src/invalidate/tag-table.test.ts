import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRESH, GONE, STALE } from '../kernel/entry.ts'
import { type TagStamp, TagTable } from './tag-table.ts'

const none = (): TagStamp[] => []

describe('TagTable', () => {
  it('gives every stamp the standing its tags deserve, whatever happened between', () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      fc.record({ do: fc.constant('stamp'), names: fc.uniqueArray(name) }),
      fc.record({ do: fc.constantFrom('expire', 'delete', 'look'), names: fc.tuple(name) }),
      fc.record({ do: fc.constant('clear'), names: fc.constant([] as string[]) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), steps => {
        const table = new TagTable()
        const stamps: { stamp: TagStamp; names: string[]; expected: number }[] = []
        for (const { do: verb, names } of steps) {
          const touched = stamps.filter(s =>
            verb === 'clear' ? s.names.length > 0 : s.names.includes(names[0]!),
          )
          if (verb === 'stamp')
            stamps.push({ stamp: table.stamp(names, none), names, expected: FRESH })
          if (verb === 'expire') table.expire(names[0]!, 0)
          if (verb === 'delete') table.delete(names[0]!)
          if (verb === 'clear') table.clear()
          for (const s of touched) {
            if (verb === 'expire') s.expected = Math.max(s.expected, STALE)
            if (verb === 'delete' || verb === 'clear') s.expected = GONE
          }
          if (verb === 'look') for (const s of stamps) s.stamp.state()
        }
        for (const { stamp, expected } of stamps) expect(stamp.state()).toBe(expected)
      }),
      { numRuns: runs(500) },
    )
  })

  it('knows since when an expired stamp is stale, and by which tag', () => {
    const table = new TagTable()
    const stamp = table.stamp(['a', 'b'], none)
    expect([stamp.staleSince, stamp.invalidatedBy]).toEqual([Infinity, undefined])
    table.expire('b', 70)
    table.expire('a', 90)
    table.expire('b', 110)
    expect([stamp.staleSince, stamp.invalidatedBy]).toEqual([70, 'a'])
    for (let again = 0; again < 5_000; again++) table.expire('b', 200)
    expect(stamp.staleSince).toBe(70)
    expect(stamp.names).toEqual(['a', 'b'])
  })

  it('forgets the tags that no entry holds any more', () => {
    const table = new TagTable()
    const held: TagStamp[] = []
    for (let index = 0; index < 100_000; index++) {
      const stamp = table.stamp([`user:${index}`], () => held)
      if (held.length === 100) held.shift()
      held.push(stamp)
    }
    expect(table.size).toBeLessThanOrEqual(1_024)
    table.delete('user:99950')
    expect(held.filter(stamp => stamp.state() === GONE)).toHaveLength(1)
  })

  it('never lets a stamp that outlived its entry look fresh after its tag was dropped and used again', () => {
    const table = new TagTable()
    const stamp = table.stamp(['a'], none)
    for (let index = 0; index < 1_024; index++) table.stamp([`${index}`], none)
    table.stamp(['a'], none)
    table.delete('a')
    expect(stamp.state()).toBe(GONE)
  })

  it('remembers invalidations for loads in progress, and errs on the safe side when it cannot', () => {
    const table = new TagTable()
    const before = table.epoch
    table.delete('a')
    const after = table.epoch
    expect(table.invalidatedSince(before, ['b', 'a'])).toBe(true)
    expect(table.invalidatedSince(before, ['b'])).toBe(false)
    expect(table.invalidatedSince(after, ['a'])).toBe(false)
    for (let index = 0; index < 5_000; index++) table.expire(`${index}`, 0)
    expect(table.invalidatedSince(before, ['b'])).toBe(true)
    expect(table.invalidatedSince(before, [])).toBe(false)
    expect(table.invalidatedSince(table.epoch - 10, ['b'])).toBe(false)
  })
})
