import { describe, expect, test } from 'vitest'
import { replay } from '../replay.ts'
import { catalogue, findTrace, loadTrace } from '../traces/catalogue.ts'
import { toTrace } from '../traces/trace.ts'
import { beladyHits } from './belady.ts'
import { assertAsPublished, oracleTrace } from './oracle.ts'
import { references } from './references.ts'

// That trace may not be redistributed, so a clone has it only where its user put it; the benchmark itself checks it too.
const oracleSource = catalogue.find(({ name }) => name === oracleTrace)!
const oraclePath = findTrace(oracleSource)
if (oraclePath !== undefined) {
  test('the references miss exactly as often as in libCacheSim', async () => {
    assertAsPublished(await loadTrace(oracleSource, oraclePath))
  })
}

describe('on the committed trace web07', async () => {
  const source = catalogue.find(({ name }) => name === 'web07')!
  const trace = await loadTrace(source, findTrace(source)!)
  const percent = (hits: number) => ((100 * hits) / trace.ids.length).toFixed(2)

  test.each([
    [200, '38.99', '43.62'],
    [1000, '50.41', '54.11'],
  ])('LRU and S3-FIFO hit as often as published at %i entries', (capacity, lru, s3) => {
    const ratio = (name: string) =>
      percent(replay(trace, references[name]!({ capacity, distinct: trace.distinct })))
    expect([ratio('LRU'), ratio('S3-FIFO')]).toEqual([lru, s3])
  })

  test('no policy beats Belady', () => {
    const best = beladyHits(trace.ids, trace.distinct, 500)
    for (const create of Object.values(references)) {
      expect(replay(trace, create({ capacity: 500, distinct: trace.distinct }))).toBeLessThan(best)
    }
  })
})

describe('Belady', () => {
  test('holds what is read soonest and declines what is not read again', () => {
    const trace = toTrace('abc', 'abcabdabe', 9)
    // a and b stay; c, d and e pass through: hits are a, b, a, b.
    expect(beladyHits(trace.ids, trace.distinct, 2)).toBe(4)
  })

  test('agrees with an exhaustive search on small inputs', () => {
    for (let seed = 1; seed < 200; seed++) {
      const ids = Int32Array.from(
        { length: 14 },
        (_, at) => ((seed * 2654435761 * (at + 1)) % 7) >>> 0,
      )
      const trace = toTrace('random', ids, ids.length)
      expect(beladyHits(trace.ids, trace.distinct, 2)).toBe(mostHits([...trace.ids], 2))
    }
  })
})

/** The most hits any sequence of decisions reaches. */
function mostHits(ids: readonly number[], capacity: number): number {
  let states = new Map<string, number>([['', 0]])
  for (const id of ids) {
    const next = new Map<string, number>()
    const keep = (held: readonly number[], hits: number) => {
      const key = held.toSorted().join(',')
      next.set(key, Math.max(next.get(key) ?? 0, hits))
    }
    for (const [key, hits] of states) {
      const held = key === '' ? [] : key.split(',').map(Number)
      if (held.includes(id)) keep(held, hits + 1)
      else {
        keep(held, hits)
        if (held.length < capacity) keep([...held, id], hits)
        for (const victim of held) keep([...held.filter(other => other !== victim), id], hits)
      }
    }
    states = next
  }
  return Math.max(...states.values())
}
