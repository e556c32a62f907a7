export { deepFreeze } from '../guard/deep-freeze.ts'
export { GuardedCache, type GuardedCacheOptions, type Guarding } from '../guard/guarded-cache.ts'
