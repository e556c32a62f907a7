import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Cache } from './cache.ts'
import { type PresetName, presets, presetsFor } from './presets.ts'

test.each<[PresetName, number, number, number]>([
  ['development', 75, 0.8, 0.9],
  ['production', 100, 0.7, 0.85],
  ['ci', 50, 0.6, 0.75],
])(
  '%s holds %d MiB, shrinks from %d of the memory on and admits nothing new from %d on',
  (name, mebibytes, shrinkAt, stopAt) => {
    expect(presets[name].maxBytes).toBe(mebibytes * 2 ** 20)
    const clock = new VirtualClock()
    let share = 0
    using cache = new Cache<string, unknown>({ ...presetsFor(() => share)[name], clock })
    const after = (now: number): [shrank: boolean, admits: boolean] => {
      share = 0
      clock.advance(100)
      for (let i = 0; i < 100; i++) cache.set(`k${i}`, i)
      share = now
      clock.advance(100)
      const { size } = cache
      cache.set(`new${now}`, 1)
      return [size < 100, cache.has(`new${now}`)]
    }
    expect(after(shrinkAt - 0.01)).toEqual([false, true])
    cache.clear()
    expect(after(shrinkAt)).toEqual([true, true])
    expect(after(stopAt - 0.01)[1]).toBe(true)
    expect(after(stopAt)).toEqual([true, false])
  },
)

test('small has the entries of a cache without options', () => {
  expect(presets.small).toEqual({ maxEntries: 256 })
})
