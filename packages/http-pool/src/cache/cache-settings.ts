import { InvalidOptionError } from '../errors.ts'
import { atLeast, count, onlyKnown } from '../options/check.ts'
import type { CacheOptions } from './cache-options.ts'

/** The resolved form of {@link CacheOptions}. */
export interface CacheSettings {
  readonly store: CacheOptions['store']
  readonly maxEntrySize: number
  readonly type: 'shared' | 'private'
  readonly cacheByDefault: number | undefined
}

export function resolveCache(options: CacheOptions): CacheSettings {
  onlyKnown('cache', options, ['store', 'maxEntrySize', 'type', 'cacheByDefault'])
  const { store, type = 'shared', cacheByDefault } = options
  if (store !== undefined && !isStore(store)) {
    throw new InvalidOptionError('cache.store', 'an object with get, set and delete', store)
  }
  if (type !== 'shared' && type !== 'private') {
    throw new InvalidOptionError('cache.type', "'shared' or 'private'", type)
  }
  return {
    store,
    type,
    maxEntrySize: count('cache.maxEntrySize', options.maxEntrySize, 5 * 1024 * 1024, 0),
    cacheByDefault:
      cacheByDefault === undefined
        ? undefined
        : atLeast('cache.cacheByDefault', cacheByDefault, 0, 0),
  }
}

function isStore(store: unknown): boolean {
  if (typeof store !== 'object' || store === null) return false
  return ['get', 'set', 'delete'].every(
    name => typeof (store as Record<string, unknown>)[name] === 'function',
  )
}
