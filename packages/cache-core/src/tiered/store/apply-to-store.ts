import { Glob } from '../../invalidate/glob.ts'
import type { Invalidation } from '../bus/invalidation-bus.ts'
import type { BoundedStore } from './bounded-store.ts'
import { StoreTimeoutError } from './tier-errors.ts'

/** Keys deleted or expired at a time by a pattern. */
const BATCH = 500
/** How many times as long as one call of the store the search of a pattern may take, which makes many. */
const SEARCH_CALLS = 10

/** What a search for a pattern has to know besides the store. */
export interface SearchContext {
  /** Keys that are on their way into the store. */
  loading(matches: (key: string) => boolean): readonly string[]
  /** Throws where the search has to end. */
  check(): void
}

const NO_CONTEXT: SearchContext = { loading: () => [], check() {} }

/**
 * Does to a store what one invalidation says.
 *
 * @throws {StoreTimeoutError} if one call, or the whole search for a pattern, takes longer than it may, and what the store throws
 */
export async function applyToStore<V>(
  store: BoundedStore<V>,
  { verb, target, name }: Invalidation,
  context: SearchContext = NO_CONTEXT,
): Promise<void> {
  const expire = verb === 'expire'
  if (target === 'pattern') await applyToMatching(store, verb, name, context)
  else if (target === 'key') await applyToKeys(store, verb, [name])
  else if (target === 'all') await store.call(inner => inner.clear({ expire }))
  else await store.call(inner => (expire ? inner.expireTag(name) : inner.deleteTag(name)))
}

export async function applyToKeys<V>(
  store: BoundedStore<V>,
  verb: Invalidation['verb'],
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return
  await store.call(inner => (verb === 'delete' ? inner.deleteMany(keys) : inner.expireMany(keys)))
}

async function applyToMatching<V>(
  store: BoundedStore<V>,
  verb: Invalidation['verb'],
  pattern: string,
  context: SearchContext,
): Promise<void> {
  const glob = new Glob(pattern)
  const { clock, timeout } = store
  const longest = SEARCH_CALLS * timeout
  const end = clock.now() + longest
  const mayGoOn = (): void => {
    context.check()
    if (clock.now() >= end) throw new StoreTimeoutError(longest)
  }
  const matches = (key: string): boolean => glob.test(key)
  await applyToKeys(store, verb, context.loading(matches))
  for await (const page of store.pages(glob.prefix, BATCH, mayGoOn)) {
    await applyToKeys(store, verb, page.filter(matches))
  }
}
