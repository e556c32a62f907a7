import { expect, test } from 'vitest'
import type { Scenario } from './scenarios.ts'
import { Stage } from './stage.ts'

const scenario = (run: Scenario['run'], unavailable?: string): Scenario => ({
  name: 'play',
  title: 'Play',
  effect: '',
  unavailable,
  run,
})

test('a scenario is played once at a time, however often it is asked for, and tells of both its ends', async () => {
  const told: string[] = []
  const ends: ((text: string) => void)[] = []
  const run = () => new Promise<string>(resolve => ends.push(resolve))
  await using stage = new Stage([scenario(run)], text => told.push(text), 0)
  for (let i = 0; i < 10; i++) expect(stage.play('play')).toBe(true)
  expect(stage.states).toMatchObject([{ name: 'play', running: true }])
  expect([ends.length, told]).toEqual([1, ['Play']])
  ends[0]!('x'.repeat(200))
  await expect.poll(() => told).toEqual(['Play', 'x'.repeat(80)])
  await expect.poll(() => stage.states).toMatchObject([{ running: false }])
  stage.play('play')
  expect(ends).toHaveLength(2)
  ends[1]!('done')
})

test('one that fails says so, and can be played again', async () => {
  const told: string[] = []
  await using stage = new Stage(
    [scenario(() => Promise.reject(new Error('no store')))],
    text => told.push(text),
    0,
  )
  stage.play('play')
  await expect.poll(() => told).toEqual(['Play', 'Play: no store'])
  await expect.poll(() => stage.states).toMatchObject([{ running: false }])
  stage.play('play')
  await expect.poll(() => told).toHaveLength(4)
})

test('one that is over at once is not played again by the clicks that follow', async () => {
  const told: string[] = []
  await using stage = new Stage([scenario(async () => 'done')], text => told.push(text), 60_000)
  stage.play('play')
  await expect.poll(() => told).toEqual(['Play', 'done'])
  for (let i = 0; i < 20; i++) expect(stage.play('play')).toBe(true)
  expect(told).toEqual(['Play', 'done'])
})

test('what is unknown or unavailable is not played', async () => {
  await using stage = new Stage([scenario(() => Promise.reject(new Error()), 'No')], () => {
    throw new Error('told')
  })
  expect([stage.play('other'), stage.play('play')]).toEqual([false, false])
})

test('an end in the middle waits for what is played to notice, and tells nothing more', async () => {
  const told: string[] = []
  let noticed = false
  const stage = new Stage(
    [
      scenario(async signal => {
        await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
        noticed = true
        signal.throwIfAborted()
        return 'end'
      }),
    ],
    text => told.push(text),
  )
  stage.play('play')
  await stage[Symbol.asyncDispose]()
  expect([noticed, told]).toEqual([true, ['Play']])
  expect(stage.play('play')).toBe(true)
  expect(told).toEqual(['Play'])
})
