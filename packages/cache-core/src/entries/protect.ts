export { deepFreeze } from '../protect/deep-freeze.ts'
export {
  ProtectedCache,
  type ProtectedCacheOptions,
  type Protection,
} from '../protect/protected-cache.ts'
