import { seededRandom } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { policies } from './policies.ts'
import { type PolicyName, SATURATED } from './policy.ts'
import { seededMath } from './seeded-math.fixture.ts'

const STREAMS: Record<string, (read: number, entries: number, random: () => number) => number> = {
  popular: (_, entries, random) => Math.floor(entries * 5 * random() ** 3),
  loop: (read, entries) => read % Math.ceil(entries * 1.3),
  'scan back and forth': (read, entries) => {
    const at = read % (entries * 4)
    return at < entries * 2 ? at : entries * 4 - at
  },
  'read twice': read => read >> 1,
  'read once': read => read,
}

/** Reads a stream through a policy, and says what was evicted, in which order, and what the policy knows then. */
function decisions(name: PolicyName, entries: number, stream: string, exchanges: boolean) {
  using _ = seededMath()
  const random = seededRandom(3)
  const free: number[] = []
  const policy = policies[name](free)
  policy.resize(entries)
  policy.grow(entries, null)
  const slots = new Map<number, number>()
  const keys: number[] = []
  const evicted: number[] = []
  const vacate = (slot: number): number => {
    evicted.push(keys[slot]!)
    slots.delete(keys[slot]!)
    return slot
  }
  for (let read = 0; read < entries * 60; read++) {
    const key = STREAMS[stream]!(read, entries, random)
    const held = slots.get(key)
    if (held !== undefined) {
      if ((policy.frequency[held]! & SATURATED) !== SATURATED) policy.touch(held)
      continue
    }
    const hash = Math.imul(key + 1, 0x9e3779b1)
    const isFull = slots.size === entries
    let slot = isFull && exchanges ? policy.exchange(hash) : -1
    if (slot !== -1) vacate(slot)
    else {
      policy.arrive(hash)
      slot = isFull ? vacate(policy.evict()) : (free.pop() ?? keys.length)
      while (policy.owes) free.push(vacate(policy.evict()))
      policy.insert(slot, hash)
    }
    keys[slot] = key
    slots.set(key, slot)
  }
  return { evicted, order: policy.order().map(slot => keys[slot]), known: policy.save() }
}

test.each(Object.keys(policies) as PolicyName[])(
  'an exchange decides as its three parts do: %s',
  name => {
    for (const stream of Object.keys(STREAMS)) {
      for (const entries of [1, 2, 7, 60, 500]) {
        const parts = decisions(name, entries, stream, false)
        expect(parts.evicted.length, `${stream} @${entries}`).toBeGreaterThan(0)
        expect(decisions(name, entries, stream, true), `${stream} @${entries}`).toEqual(parts)
      }
    }
  },
)
