export { deepFreeze } from '../guard/deep-freeze.ts'
export { GuardedCache, type GuardedCacheOptions, type Protection } from '../guard/guarded-cache.ts'
