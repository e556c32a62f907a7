import { PartialLoadError } from '../errors.ts'
import { ABSENT } from '../kernel/kernel.ts'
import { itemsOf } from './batch-items.ts'
import type { Flight } from './flight.ts'
import type { LoadPlan } from './load-options.ts'
import { LoadRun } from './load-run.ts'
import type { Loaded } from './loaded.ts'
import { assertLoader, type Loads, type Look } from './loads.ts'

/** What a batch loader is called with besides the keys. */
export interface BatchContext<K, V> {
  /** The expired value of a key, if one is still held: return it to keep it. */
  stale(key: K): V | undefined
  /** Whether the key is refreshed behind a value that was served, so that nobody waited for it when this began. */
  background(key: K): boolean
  /** Aborted when the hard deadline passes, or when every caller has given up. */
  readonly signal: AbortSignal
}

/**
 * What a batch loader returns: a `Map` by key, or an array in the order of the keys. A key that is
 * missing or `undefined` has no value; an `Error` is that key's failure alone.
 */
export type BatchResult<K, V> =
  | ReadonlyMap<K, V | Loaded<V> | Error>
  | readonly (V | Loaded<V> | Error | undefined)[]

/** Produces the values of many keys, in one call. */
export type BatchLoader<K, V> = (
  keys: readonly K[],
  context: BatchContext<K, V>,
) => BatchResult<K, V> | PromiseLike<BatchResult<K, V>>

/**
 * `getOrLoadMany`: values from the cache, from flights in progress, and from one call of `loader` for
 * all the keys left.
 */
export async function loadMany<K, V>(
  loads: Loads<K, V>,
  keys: Iterable<K>,
  loader: BatchLoader<K, V>,
  plan: LoadPlan,
): Promise<Map<K, V>> {
  assertLoader(loader)
  const { kernel } = loads
  const results: Results<K, V> = new Map()
  const awaited: [K, Promise<V>][] = []
  const begun: [Flight<K, V>, Look<V>][] = []
  const refreshed: Flight<K, V>[] = []
  /** Takes an answer, now or later; a failure at once is awaited with the others. */
  const take = (key: K, answer: () => V | Promise<V>): void => {
    try {
      const value = answer()
      if (value instanceof Promise) awaited.push([key, value])
      else results.set(key, value)
    } catch (error) {
      awaited.push([key, Promise.reject(error)])
    }
  }

  try {
    for (const key of keys) {
      if (results.has(key)) continue
      const slot = kernel.find(key)
      if (slot !== ABSENT && !loads.isDue(slot)) {
        results.set(key, kernel.values[slot])
        continue
      }
      results.set(key, undefined) // keeps the caller's order
      const look = loads.look(key, plan)
      const joinable = loads.joinable(key)
      if (look.served !== undefined) {
        results.set(key, look.served)
        if (look.refresh && joinable === undefined) {
          refreshed.push(loads.depart(key, plan, look, true, false))
        }
        continue
      }
      plan.signal?.throwIfAborted()
      if (joinable !== undefined) {
        take(key, () => loads.join(joinable, plan, look, () => loadOne(loads, key, loader, plan)))
      } else {
        begun.push([loads.depart(key, plan, look, true, true), look])
      }
    }
  } catch (error) {
    // The iterable or a listener of the cache threw, or the caller has given up: no flight may stay behind that no call will end.
    for (const [flight] of begun) loads.fail(flight, error)
    for (const flight of refreshed) loads.fail(flight, error)
    throw error
  }
  if (begun.length + refreshed.length !== 0) {
    const flights = [...begun.map(([flight]) => flight), ...refreshed]
    startBatch(loads, flights, loader, plan.hardDeadline, begun.length !== 0)
  }
  for (const [flight, look] of begun) take(flight.key, () => loads.answer(flight, plan, look))
  return gather(results, awaited, plan.signal)
}

/** One more attempt at a key that a flight in progress turned out not to answer. */
async function loadOne<K, V>(
  loads: Loads<K, V>,
  key: K,
  loader: BatchLoader<K, V>,
  plan: LoadPlan,
): Promise<V> {
  try {
    return (await loadMany(loads, [key], loader, plan)).get(key) as V
  } catch (error) {
    throw error instanceof PartialLoadError ? error.cause : error
  }
}

function startBatch<K, V>(
  loads: Loads<K, V>,
  flights: readonly Flight<K, V>[],
  loader: BatchLoader<K, V>,
  duration: number,
  awaited: boolean,
): void {
  const byKey = new Map(flights.map(flight => [flight.key, flight]))
  const keys = [...byKey.keys()]
  const run: LoadRun<K, V, BatchResult<K, V>> = new LoadRun(
    loads,
    flights,
    duration,
    () =>
      loader(keys, {
        stale: key => byKey.get(key)?.stale,
        background: key => byKey.get(key)?.background ?? false,
        get signal() {
          return run.signal
        },
      }),
    result => itemsOf(result, keys),
  )
  run.start(awaited)
}

/** Per key its value, or `undefined` where there is none or none yet. */
type Results<K, V> = Map<K, V | undefined>

async function gather<K, V>(
  results: Results<K, V>,
  awaited: readonly [K, Promise<V>][],
  signal: AbortSignal | undefined,
): Promise<Map<K, V>> {
  const errors = new Map<K, unknown>()
  if (awaited.length !== 0) {
    const settled = await Promise.allSettled(awaited.map(([, answer]) => answer))
    for (const [index, [key]] of awaited.entries()) {
      const answer = settled[index]!
      if (answer.status === 'fulfilled') results.set(key, answer.value)
      else errors.set(key, answer.reason)
    }
  }
  for (const [key, value] of results) if (value === undefined) results.delete(key)
  if (errors.size === 0) return results as Map<K, V>
  signal?.throwIfAborted()
  throw new PartialLoadError(results, errors)
}
