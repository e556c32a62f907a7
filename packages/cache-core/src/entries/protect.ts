export { deepFreeze } from '../protect/deep-freeze.ts'
export { ProtectedCache, type ProtectedCacheOptions } from '../protect/protected-cache.ts'
export type { Protection } from '../protect/protection.ts'
