import { deepEqual, equal, ok } from 'node:assert/strict'
import type { Kernel } from './kernel.ts'

/** Fails unless index, columns, limits and the policy's queues agree with each other. */
export function assertConsistent<K, V>(kernel: Kernel<K, V>): void {
  const slots = Array.from(kernel.entries(), ([, slot]) => slot)
  equal(new Set(slots).size, slots.length, 'slots are used once')
  equal(kernel.size, slots.length)
  ok(kernel.size <= kernel.maxEntries || kernel.policy.order().length === 0, 'only pins exceed it')
  for (const [key, slot] of kernel.entries()) {
    equal(kernel.keys[slot], key)
    equal(kernel.locate(key), slot)
  }
  const occupied = new Set(slots)
  for (let slot = 0; slot < kernel.keys.length; slot++) {
    if (occupied.has(slot)) continue
    equal(kernel.keys[slot], undefined, 'an empty slot holds nothing')
    equal(kernel.values[slot], undefined)
  }
  const { weights } = kernel
  if (weights !== null) {
    const sum = slots.reduce((total, slot) => total + weights[slot]!, 0)
    equal(kernel.weight, sum)
    ok(sum <= kernel.maxWeight)
  }
  const queued = slots.filter(slot => weights === null || weights[slot] !== 0)
  const ascending = (a: number, b: number): number => a - b
  deepEqual(kernel.policy.order().sort(ascending), queued.sort(ascending), 'queued is what is held')
}
