import { runs, seededRandom } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { Cache } from '../cache/cache.ts'
import { KeyHasher } from '../key/key-hasher.ts'
import { policies } from './policies.ts'
import type { PolicyName } from './policy.ts'
import { seededMath } from './seeded-math.fixture.ts'

/** A working set read by a skewed law while an attacker sends keys of his own; the hit rate of the honest reads at the end. */
function hitRateUnder(
  policy: PolicyName,
  attack: (cache: Cache<string, number>, step: number) => void,
): number {
  using _ = seededMath()
  const cache = new Cache<string, number>({ policy: policies[policy], maxEntries: 500 })
  const random = seededRandom(3)
  let hits = 0
  let reads = 0
  for (let step = 0; step < 60_000; step++) {
    const key = `honest ${Math.floor(1_000 * random() ** 3)}`
    const held = cache.get(key) !== undefined
    if (!held) cache.set(key, step)
    if (step > 30_000) {
      reads++
      if (held) hits++
    }
    attack(cache, step)
  }
  return hits / reads
}

const calm = (): void => {}

describe.each<PolicyName>(['adaptive', 'w-tinylfu', 's3-fifo'])('%s', policy => {
  const normal = hitRateUnder(policy, calm)

  test('a stream of keys that never come back costs little', () => {
    const flooded = hitRateUnder(policy, (cache, step) => {
      for (let i = 0; i < 3; i++) cache.set(`junk ${step} ${i}`, 0)
    })
    expect(normal - flooded).toBeLessThan(0.3)
  })

  test('a few keys hammered by an attacker take their own places and no more', () => {
    const flooded = hitRateUnder(policy, (cache, step) => {
      const key = `hot ${step % 20}`
      if (cache.get(key) === undefined) cache.set(key, 0)
    })
    expect(normal - flooded).toBeLessThan(0.1)
  })
})

test('keys that collide under one seed do not under another', () => {
  const known = new KeyHasher(1)
  const byHash = new Map<number, string>()
  const colliding: [string, string][] = []
  const random = seededRandom(5)
  for (let i = 0; i < 400_000 && colliding.length < 3; i++) {
    const key = `${random().toString(36)}${random().toString(36)}`
    const hash = known.hash(key)
    const other = byHash.get(hash)
    if (other === undefined) byHash.set(hash, key)
    else colliding.push([other, key])
  }
  expect(colliding.length).toBeGreaterThan(0)
  for (let seed = 2; seed < 2 + runs(20); seed++) {
    const hasher = new KeyHasher(seed)
    expect(colliding.filter(([a, b]) => hasher.hash(a) === hasher.hash(b))).toHaveLength(0)
  }
})

test('hashes are spread over all bits, whatever the keys look like', () => {
  const shapes: ((i: number) => unknown)[] = [
    i => i,
    i => i * 4_096,
    i => i / 7,
    i => `user:profile:${i}`,
    i => `https://example.org/${i}/a/long/path?with=many&parameters=that&never=change#end`,
    i => BigInt(i) << 40n,
    i => ({ i }),
  ]
  const hasher = new KeyHasher()
  for (const shape of shapes) {
    const buckets = new Uint32Array(256)
    for (let i = 0; i < 25_600; i++) buckets[hasher.hash(shape(i)) >>> 24]!++
    expect(Math.max(...buckets)).toBeLessThan(180)
    expect(Math.min(...buckets)).toBeGreaterThan(40)
  }
})

test('equal keys hash equally, as a Map compares them', () => {
  const hasher = new KeyHasher()
  const symbol = Symbol('own')
  expect(hasher.hash(0)).toBe(hasher.hash(-0))
  expect(hasher.hash(Number.NaN)).toBe(hasher.hash(0 / 0))
  expect(hasher.hash('ab')).toBe(hasher.hash(['a', 'b'].join('')))
  expect(hasher.hash(symbol)).toBe(hasher.hash(symbol))
  expect(hasher.hash(Symbol.for('x'))).toBe(hasher.hash(Symbol.for('x')))
  expect(hasher.hash(10n)).toBe(hasher.hash(10n))
})
