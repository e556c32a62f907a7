import { Adaptive } from './adaptive.ts'
import { Lru } from './lru.ts'
import type { Policy, PolicyName } from './policy.ts'
import { S3Fifo } from './s3-fifo.ts'
import { Sieve } from './sieve.ts'
import { WTinyLfu } from './w-tiny-lfu.ts'

/**
 * Makes the policy of one cache: `new Cache({ policy: sieve })`.
 *
 * @param free where a lazy policy puts slots that are not queued any more
 */
export type CreatePolicy = (free: number[]) => Policy

/** The default, {@link Adaptive}. */
export const adaptive: CreatePolicy = free => new Adaptive(free)
/** {@link Lru}. */
export const lru: CreatePolicy = () => new Lru()
/** {@link Sieve}. */
export const sieve: CreatePolicy = () => new Sieve()
/** {@link S3Fifo}. */
export const s3Fifo: CreatePolicy = () => new S3Fifo()
/** {@link WTinyLfu}. */
export const wTinyLfu: CreatePolicy = () => new WTinyLfu()

/** All of them by name, for a policy that a configuration file names: `policies[name]`. */
export const policies: Readonly<Record<PolicyName, CreatePolicy>> = {
  adaptive,
  lru,
  sieve,
  's3-fifo': s3Fifo,
  'w-tinylfu': wTinyLfu,
}
