import { expect, test } from 'vitest'
import { WindowSizer } from './window-sizer.ts'

const CAPACITY = 320
/** Ticks are a 32nd of the capacity. */
const PUSHES_PER_TICK = CAPACITY / 32
const idle = { recent: false, ended: false, sweeping: false, turning: false }

/** A look's worth of pushes, of which some are keys that come back half a capacity after they were refused, and hits in main. */
function look(sizer: WindowSizer, returns: number, hitsInMain: number): boolean {
  for (let push = 0; push < CAPACITY / 2; push++) sizer.advance(1)
  for (let i = 0; i < returns; i++) sizer.returned(16, false)
  for (let i = 0; i < hitsInMain; i++) sizer.hitInMain(sizer.now - 1)
  const { isMainStale } = sizer
  sizer.adapt(idle)
  return isMainStale
}

function sizerOf(): WindowSizer {
  const sizer = new WindowSizer()
  sizer.resize(CAPACITY)
  expect(sizer.advance(PUSHES_PER_TICK)).toBe(1)
  return sizer
}

test('main is stale where refused keys come back and hardly any of its own is read', () => {
  expect(look(sizerOf(), 150, 2)).toBe(true)
})

test('main is not stale while as many of its entries are hit as refused keys come back', () => {
  const sizer = sizerOf()
  for (let i = 0; i < 10; i++) expect(look(sizer, 150, 150)).toBe(false)
})

test('a scan that nobody repeats does not make main stale', () => {
  const sizer = sizerOf()
  for (let i = 0; i < 10; i++) expect(look(sizer, 0, 0)).toBe(false)
})

test('main is idle where its entries are not hit, and not where a few are', () => {
  const sizer = sizerOf()
  const judge = (candidates: number): void => {
    for (let i = 0; i < candidates; i++) sizer.refused()
  }
  judge(150)
  look(sizer, 0, 3)
  expect(sizer.isMainIdle).toBe(false)
  judge(150)
  look(sizer, 0, 0)
  judge(150)
  look(sizer, 0, 0)
  expect(sizer.isMainIdle).toBe(true)
})

test('what main earned before is forgotten within a few looks', () => {
  const sizer = sizerOf()
  for (let i = 0; i < 10; i++) look(sizer, 20, 200)
  let looks = 1
  while (!look(sizer, 150, 0)) looks++
  expect(looks).toBeLessThan(8)
})

test('the window takes everything at once while recency is on trial, and is then what it was', () => {
  const sizer = sizerOf()
  const before = sizer.window
  sizer.adapt({ ...idle, recent: true })
  expect(sizer.window).toBe(CAPACITY)
  sizer.adapt({ ...idle, ended: true })
  expect(Math.abs(sizer.window - before)).toBeLessThanOrEqual(CAPACITY * 0.05)
})

test('while the first scan is turning the window is as small as may be, and candidates need a margin until the next look, hit or not', () => {
  const sizer = sizerOf()
  sizer.keepMain()
  expect(sizer.margin).toBeGreaterThan(1)
  expect(sizer.marginOfHit).toBe(sizer.margin)
  for (let looks = 0; looks < 5; looks++) {
    for (let i = 0; i < 150; i++) sizer.returned(16, false)
    sizer.adapt({ ...idle, turning: true })
    expect(sizer.window).toBe(Math.floor(CAPACITY * 0.01))
    expect(sizer.margin).toBeGreaterThan(1)
  }
  sizer.adapt(idle)
  expect(sizer.margin).toBe(0)
  expect(sizer.marginOfHit).toBe(0)
})
