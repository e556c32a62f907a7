import { Cache } from '@millrace/cache-core'
import { type PolicyName, policies } from '@millrace/cache-core/policies'
import type { Policy, PolicyFactory } from './policy.ts'

/** Our policies, each replayed through the real cache as an application would use it: `get`, and `set` on a miss. */
export const ours: Readonly<Record<PolicyName, PolicyFactory>> = {
  adaptive: options => cachePolicy('adaptive', options.capacity),
  lru: options => cachePolicy('lru', options.capacity),
  sieve: options => cachePolicy('sieve', options.capacity),
  's3-fifo': options => cachePolicy('s3-fifo', options.capacity),
  'w-tinylfu': options => cachePolicy('w-tinylfu', options.capacity),
}

/** The policy a cache has when none is named: what the goals are about. */
export const ourDefault = 'adaptive'

function cachePolicy(policy: PolicyName, maxEntries: number): Policy {
  const cache = new Cache<number, number>({ maxEntries, policy: policies[policy] })
  return {
    access(id) {
      const held = cache.get(id)
      if (held === undefined) {
        cache.set(id, id)
        return false
      }
      if (held !== id) throw new Error(`The cache returned ${held} for the key ${id}`)
      return true
    },
  }
}

/** Our policies limited by bytes, by the names of the references they implement. */
export const oursByBytes: Readonly<Record<string, PolicyFactory>> = {
  LRU: options => bytePolicy('lru', options.capacity),
  SIEVE: options => bytePolicy('sieve', options.capacity),
  'S3-FIFO': options => bytePolicy('s3-fifo', options.capacity),
}

function bytePolicy(policy: PolicyName, maxBytes: number): Policy {
  const cache = new Cache<number, number>({
    maxBytes,
    weigher: size => size,
    policy: policies[policy],
  })
  return {
    access(id, size) {
      if (cache.get(id) !== undefined) return true
      cache.set(id, size)
      return false
    },
  }
}
