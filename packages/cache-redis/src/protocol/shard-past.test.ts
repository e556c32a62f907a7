import { expect, test } from 'vitest'
import { ShardPast } from './shard-past.ts'

const mark = (incarnation: number, epoch: number) => ({ incarnation, epoch })
const nothing = new ShardPast()
const first = nothing.with(mark(7, 100), nothing)

test('an earlier epoch of the same life is the past, a later one is not', () => {
  expect(first.isAfter(mark(7, 99))).toBe(true)
  expect(first.isAfter(mark(7, 100))).toBe(false)
  expect(first.isAfter(mark(7, 101))).toBe(false)
  expect(first.with(mark(7, 50), first)).toBe(first)
})

test('a new life may begin at any epoch, as clocks may be set; one that is over does not come back', () => {
  expect(first.isAfter(mark(8, 1))).toBe(false)
  const second = first.with(mark(8, 1), first)
  expect(second.isAfter(mark(7, 1_000))).toBe(true)
  expect(second.isAfter(mark(8, 1))).toBe(false)
})

test('a reply to a call of before a change of lives, which comes after it, ends no life', () => {
  const second = first.with(mark(8, 200), first)
  expect(second.with(mark(7, 150), first)).toBe(second)
  expect(second.with(mark(9, 150), first)).toBe(second)
})

test('where there is no memory for a journal, nothing is learnt', () => {
  expect(first.with(mark(0, 500), first)).toBe(first)
  expect(first.isAfter(mark(0, 1))).toBe(false)
})

test('few of the lives that are over are remembered, the last ones', () => {
  let past = nothing
  for (let life = 1; life <= 100; life++) past = past.with(mark(life, life), past)
  expect(past.isAfter(mark(99, 1_000))).toBe(true)
  expect(past.isAfter(mark(10, 1_000))).toBe(false)
})
