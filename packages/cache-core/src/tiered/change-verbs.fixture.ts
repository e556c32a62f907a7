import type { TieredCache } from './tiered-cache.ts'

/** Each way to say that `k`, tagged `t`, has changed. */
export const changeVerbs: Record<
  string,
  (cache: TieredCache<number>, version: number) => Promise<unknown>
> = {
  delete: cache => cache.delete('k'),
  expire: cache => cache.expire('k'),
  deleteTag: cache => cache.deleteTag('t'),
  expireTag: cache => cache.expireTag('t'),
  deleteMatching: cache => cache.deleteMatching('k*'),
  expireMatching: cache => cache.expireMatching('*'),
  clear: cache => cache.clear(),
  'clear with expire': cache => cache.clear({ expire: true }),
  set: (cache, version) => cache.set('k', version, { tags: ['t'] }),
  deleteMany: cache => cache.deleteMany(['j', 'k']),
  setMany: (cache, version) =>
    cache.setMany(Object.entries({ j: version, k: version }), { tags: ['t'] }),
}
