import { InvalidOptionError } from '../errors.ts'
import { Adaptive } from './adaptive.ts'
import { Lru } from './lru.ts'
import type { Policy, PolicyName } from './policy.ts'
import { S3Fifo } from './s3-fifo.ts'
import { Sieve } from './sieve.ts'
import { WTinyLfu } from './w-tiny-lfu.ts'

/**
 * A new policy of that name.
 *
 * @param free where a lazy policy puts slots that are not queued any more
 * @throws {InvalidOptionError} if there is none.
 */
export function createPolicy(name: PolicyName, free: number[]): Policy {
  switch (name) {
    case 'adaptive':
      return new Adaptive(free)
    case 'lru':
      return new Lru()
    case 'sieve':
      return new Sieve()
    case 's3-fifo':
      return new S3Fifo()
    case 'w-tinylfu':
      return new WTinyLfu()
    default:
      throw new InvalidOptionError(
        'policy',
        "'adaptive', 'lru', 'sieve', 's3-fifo' or 'w-tinylfu'",
        name,
      )
  }
}
