import { expect, test } from 'vitest'
import { ShardPast } from './shard-past.ts'

const mark = (incarnation: number, epoch: number) => ({ incarnation, epoch })
const message = (incarnation: number, before: number, epoch: number) => ({
  incarnation,
  before,
  epoch,
})
const nothing = new ShardPast()
const first = nothing.with(mark(7, 100), nothing)

test('a reply to a call that has carried all that is known takes its place', () => {
  expect([nothing.text, first.text]).toEqual(['', '7 100'])
  expect(first.with(mark(7, 100), first)).toBe(first)
  expect(first.with(mark(7, 120), first).text).toBe('7 120')
})

test('what a call did not carry stays to be shown, until one has carried it', () => {
  const second = first.with(mark(7, 156), first)
  const both = second.with(mark(7, 181), first)
  expect(both.text).toBe('7 181 7 156')
  const more = both.with(mark(7, 190), second)
  expect(more.text).toBe('7 190 7 181')
  expect(more.with(mark(7, 200), more).text).toBe('7 200')
})

test('so it is with other lives, which may begin at any epoch, as clocks may be set', () => {
  expect(first.with(mark(8, 1), first).text).toBe('8 1')
  expect(first.with(mark(8, 200), nothing).text).toBe('8 200 7 100')
})

test('a message counts where it follows what is known', () => {
  expect(nothing.told(message(7, 90, 100)).text).toBe('7 100')
  expect(first.told(message(7, 100, 110)).text).toBe('7 110')
  expect(first.told(message(7, 90, 110))).toBe(first)
  expect(first.told(message(7, 110, 120))).toBe(first)
  expect(first.told(message(8, 100, 110))).toBe(first)
})

test('where there is no memory for a journal, nothing is learnt', () => {
  expect(first.with(mark(0, 500), first)).toBe(first)
})

test('no more is remembered than a process has calls under way', () => {
  let past = first
  for (let epoch = 101; epoch < 200; epoch++) past = past.with(mark(7, epoch), nothing)
  expect(past.marks.length).toBe(16)
  expect(past.has(mark(7, 199))).toBe(true)
})
