import { setImmediate as nextTurn } from 'node:timers/promises'
import { Cache } from '../cache/cache.ts'
import { memoryPressure } from './memory-pressure.ts'

/** Puts several times as much into a cache without a limit of its own as the heap of this process can hold. */
const cache = new Cache<number, object>({
  maxEntries: 10_000_000,
  memoryPressure: memoryPressure({ interval: Number(process.argv[2]) }),
})
let most = 0
for (let i = 0; i < 250_000; i++) {
  cache.set(i, { text: `row ${i} `.repeat(20), numbers: Array.from({ length: 40 }, () => i) })
  most = Math.max(most, cache.size)
  if (i % 500 === 499) await nextTurn()
}
console.log(JSON.stringify({ most, last: cache.has(249_999) }))
cache.close()
