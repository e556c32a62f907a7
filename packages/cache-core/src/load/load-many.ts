import { checkFunction } from '@millrace/kit'
import { PartialLoadError } from '../errors.ts'
import { checkIterable } from '../iterate/check-iterable.ts'
import { ABSENT } from '../kernel/kernel.ts'
import { type BatchLoader, type BatchResult, itemsOf } from './batch-loader.ts'
import type { Flight } from './flight.ts'
import type { LoadPlan } from './load-options.ts'
import { LoadRun } from './load-run.ts'
import type { LoadState } from './load-state.ts'
import type { Loads } from './loads.ts'

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
  checkIterable('keys', keys)
  checkFunction('loader', loader)
  const { kernel } = loads
  const results: Results<K, V> = new Map()
  const awaited: [K, Promise<V>][] = []
  const flights: Flight<K, V>[] = []
  /** Those that this caller waits for. */
  const begun: [Flight<K, V>, LoadState<V>][] = []
  const depart = (key: K, state: LoadState<V>, awaited: boolean): Flight<K, V> => {
    const flight = loads.depart(key, { plan, state, batched: true, awaited })
    flights.push(flight)
    return flight
  }
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
      const state = loads.stateOf(key, plan)
      const joinable = loads.joinable(key)
      if (state.served !== undefined) {
        results.set(key, state.served)
        if (state.refresh && joinable === undefined) depart(key, state, false)
        continue
      }
      plan.signal?.throwIfAborted()
      if (joinable !== undefined) {
        take(key, () => loads.join(joinable, plan, state, () => loadOne(loads, key, loader, plan)))
      } else {
        begun.push([depart(key, state, true), state])
      }
    }
  } catch (error) {
    // The iterable or a listener of the cache threw, or the caller has given up: no flight may stay behind that no call will end.
    for (const flight of flights) {
      // Nothing was tried, so nothing is put off.
      flight.abandoned = true
      loads.onFailure(flight, error)
    }
    throw error
  }
  if (flights.length !== 0) {
    startBatch(loads, loader, {
      flights,
      timeout: plan.hardTimeout,
      awaited: begun.length !== 0,
    })
  }
  for (const [flight, state] of begun) take(flight.key, () => loads.answer(flight, plan, state))
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

interface Batch<K, V> {
  readonly flights: readonly Flight<K, V>[]
  /** ms after which it fails. */
  readonly timeout: number
  /** Whether a caller waits for one of its keys. */
  readonly awaited: boolean
}

function startBatch<K, V>(
  loads: Loads<K, V>,
  loader: BatchLoader<K, V>,
  { flights, timeout, awaited }: Batch<K, V>,
): void {
  const byKey = new Map(flights.map(flight => [flight.key, flight]))
  const keys = [...byKey.keys()]
  const run: LoadRun<K, V, BatchResult<K, V>> = new LoadRun({
    flights,
    timeout,
    call: () =>
      loader(keys, {
        stale: key => byKey.get(key)?.stale,
        background: key => byKey.get(key)?.background ?? false,
        get signal() {
          return run.signal
        },
      }),
    itemsOf: result => itemsOf(result, keys),
    listener: loads,
  })
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
