export {
  adaptive,
  type CreatePolicy,
  lru,
  policies,
  s3Fifo,
  sieve,
  wTinyLfu,
} from '../policy/policies.ts'
export type { Policy, PolicyName, PolicyState } from '../policy/policy.ts'
