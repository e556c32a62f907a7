import type { Invalidation } from '@millrace/cache-core/tiered'
import { describe, expect, test } from 'vitest'
import { RecoveryQueue } from './recovery-queue.ts'

let calls = 0
const add = (queue: RecoveryQueue, failed: Invalidation, until = 0) =>
  queue.add({ ...failed, order: ++calls, until })

describe('the recovery queue', () => {
  test('keeps the stronger verb once, and becomes one clear beyond its limit', () => {
    const queue = new RecoveryQueue(2)
    add(queue, { verb: 'delete', target: 'key', name: 'a' })
    add(queue, { verb: 'expire', target: 'key', name: 'a' })
    add(queue, { verb: 'expire', target: 'tag', name: 'a' })
    expect([queue.size, queue.doubt('a', []), queue.doubt('b', ['a'])]).toEqual([
      2,
      'delete',
      'expire',
    ])
    expect(queue.doubt('b', ['b'])).toBeUndefined()
    add(queue, { verb: 'expire', target: 'pattern', name: 'b*' })
    expect(queue.list()).toMatchObject([{ verb: 'delete', target: 'all', name: '' }])
    expect(queue.doubt('anything', [])).toBe('delete')
  })

  test('what was asked for again while it was repeated is repeated again', () => {
    for (const target of ['key', 'tag', 'pattern', 'all'] as const) {
      const queue = new RecoveryQueue(10)
      add(queue, { verb: 'delete', target, name: 'a' })
      const [repeated] = queue.list()
      add(queue, { verb: 'expire', target, name: 'a' })
      queue.done(repeated!)
      expect(queue.size).toBe(1)
      queue.done(queue.list()[0]!)
      expect(queue.size).toBe(0)
    }
  })
})
