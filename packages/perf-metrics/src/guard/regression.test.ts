import { seededRandom } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import type { Rule } from '../guard.ts'
import { watch } from './watch.fixture.ts'

describe('a regression', () => {
  const rule: Rule = { name: 'Slower', type: 'regression', metric: 'work_seconds' }
  const random = seededRandom(9)
  const duration = (scale: number): number => -Math.log(1 - random()) * scale

  it('trips when the tail is slower than before, beyond chance', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    run(1800, () => {
      for (let i = 0; i < 20; i++) timing.record(duration(10))
    })
    expect(log).toEqual([])
    run(300, () => {
      for (let i = 0; i < 20; i++) timing.record(duration(i === 0 ? 60 : 10))
    })
    expect(log).toEqual(['trip Slower'])
  })

  it('finds a step of +10 % within five minutes', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    const observe = (scale: number) => () => {
      for (let i = 0; i < 100; i++) timing.record(duration(scale))
    }
    run(3600, observe(10))
    expect(log).toEqual([])
    run(300, observe(11))
    expect(log).toEqual(['trip Slower'])
  })

  it('is one of its quantile, not of the body alone', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    const observe = (body: number) => () => {
      for (let i = 0; i < 20; i++) timing.record(random() < 0.05 ? 100 + duration(20) : body)
    }
    run(3600, observe(10))
    run(1200, observe(20))
    expect(log).toEqual([])
  })

  it('does not trip on a level that wanders by itself', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    // Two tides that do not add up to a rhythm, and a load that follows the slow one.
    let second = 0
    run(18_000, () => {
      second++
      const slow = Math.sin(second / 2_000)
      const level = 10 * (1 + 0.15 * slow + 0.1 * Math.sin(second / 471))
      for (let i = 0; i < 4 + 2 * slow; i++) timing.record(duration(level))
    })
    expect(log).toEqual([])
  })

  it('finds a step in a load that follows the time of day', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    let second = 0
    const observe = (step: number) => () => {
      const day = 1 + 0.3 * Math.sin((2 * Math.PI * second++) / 86_400)
      for (let i = 0; i < 50; i++) timing.record(duration(10 * day * step))
    }
    run(9000, observe(1))
    expect(log).toEqual([])
    run(300, observe(1.4))
    expect(log).toEqual(['trip Slower'])
  })

  it('does not trip on a few slow seconds in a row of minutes, which pass', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    let second = 0
    const slow = (every: number) => () => {
      const scale = second++ % every < 10 ? 15 : 10
      for (let i = 0; i < 100; i++) timing.record(duration(scale))
    }
    run(7200, slow(600))
    // Three times as many as usual, which is more than chance for each observation.
    run(240, slow(60))
    run(300, slow(600))
    expect(log).toEqual([])
  })

  it('does not trip on the noise of a steady service', () => {
    const { metrics, log, run } = watch(rule)
    const timing = metrics.timing('work_seconds')
    run(7200, () => {
      for (let i = 0; i < 5; i++) timing.record(duration(10))
    })
    expect(log).toEqual([])
  })
})
