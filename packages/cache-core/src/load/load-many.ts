import { LoadResultError, PartialLoadError } from '../errors.ts'
import { ABSENT } from '../kernel.ts'
import type { Flight } from './flight.ts'
import type { LoadPlan } from './load-options.ts'
import { LoadRun } from './load-run.ts'
import type { Loaded } from './loaded.ts'
import { assertLoader, type Loads, type Look } from './loads.ts'

/** What a batch loader is called with besides the keys. */
export interface BatchContext<K, V> {
  /** The expired value of a key, if one is still held: return it to keep it. */
  stale(key: K): V | undefined
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
  const answers: Answers<K, V> = new Map()
  const begun: [Flight<K, V>, Look<V>][] = []
  const refreshed: Flight<K, V>[] = []
  for (const key of new Set(keys)) {
    const slot = loads.kernel.find(key)
    if (slot !== ABSENT && !loads.isDue(slot)) {
      answers.set(key, loads.kernel.values[slot])
      continue
    }
    const look = loads.look(key, plan)
    const joinable = loads.joinable(key)
    if (look.served !== undefined) {
      answers.set(key, look.served)
      if (look.refresh && joinable === undefined) {
        refreshed.push(loads.depart(key, plan, look, true, false))
      }
    } else if (joinable !== undefined) {
      const again = async (): Promise<V> =>
        (await loadMany(loads, [key], loader, plan)).get(key) as V
      attempt(answers, key, () => loads.join(joinable, plan, look, again))
    } else {
      answers.set(key, undefined) // keeps the caller's order
      begun.push([loads.depart(key, plan, look, true, true), look])
    }
  }
  if (begun.length + refreshed.length !== 0) {
    startBatch(
      loads,
      [...begun.map(([flight]) => flight), ...refreshed],
      loader,
      plan,
      begun.length > 0,
    )
  }
  for (const [flight, look] of begun) {
    attempt(answers, flight.key, () => loads.answer(flight, plan, look))
  }
  return gather(answers, plan.signal)
}

/** Per key: a value, the promise of one, or `undefined`. */
type Answers<K, V> = Map<K, V | Promise<V> | undefined>

/** Turns a failure at once into one that is awaited with the others. */
function attempt<K, V>(answers: Answers<K, V>, key: K, answer: () => V | Promise<V>): void {
  try {
    answers.set(key, answer())
  } catch (error) {
    answers.set(key, Promise.reject(error))
  }
}

async function gather<K, V>(
  answers: Answers<K, V>,
  signal: AbortSignal | undefined,
): Promise<Map<K, V>> {
  const settled = await Promise.allSettled(answers.values())
  const results = new Map<K, V>()
  const errors = new Map<K, unknown>()
  let index = 0
  for (const key of answers.keys()) {
    const answer = settled[index++]!
    if (answer.status === 'rejected') errors.set(key, answer.reason)
    else if (answer.value !== undefined) results.set(key, answer.value)
  }
  if (errors.size === 0) return results
  signal?.throwIfAborted()
  throw new PartialLoadError(results, errors)
}

function startBatch<K, V>(
  loads: Loads<K, V>,
  flights: readonly Flight<K, V>[],
  loader: BatchLoader<K, V>,
  plan: LoadPlan,
  awaited: boolean,
): void {
  const keys = flights.map(flight => flight.key)
  const started = loads.clock.now()
  const run = new LoadRun<BatchResult<K, V>>(
    {
      succeed: result => {
        loads.count(true, started)
        distribute(loads, flights, result)
      },
      fail: error => {
        loads.count(false, started)
        for (const flight of flights) loads.fail(flight, error)
      },
    },
    flights.length,
  )
  for (const flight of flights) flight.run = run
  const context: BatchContext<K, V> = {
    stale: key => flights[keys.indexOf(key)]?.stale,
    get signal() {
      return run.signal
    },
  }
  run.start(() => loader(keys, context), plan.hardDeadline, loads.clock, keys, awaited)
}

function distribute<K, V>(
  loads: Loads<K, V>,
  flights: readonly Flight<K, V>[],
  result: BatchResult<K, V>,
): void {
  let items: BatchItem<V>[]
  try {
    items = itemsOf(
      result,
      flights.map(flight => flight.key),
    )
  } catch (error) {
    for (const flight of flights) loads.fail(flight, error)
    return
  }
  for (const [index, flight] of flights.entries()) {
    const item = items[index]
    if (item instanceof Error) loads.fail(flight, item)
    else if (item === undefined) loads.miss(flight)
    else loads.arrive(flight, item)
  }
}

/** What a batch loader says of one key: its value, its failure, or nothing. */
export type BatchItem<V> = V | Loaded<V> | Error | undefined

/**
 * The result of a batch loader, one item per key.
 *
 * @throws {LoadResultError} unless it is a `Map` or an array of that many.
 */
export function itemsOf<K, V>(result: BatchResult<K, V>, keys: readonly K[]): BatchItem<V>[] {
  if (result instanceof Map) return keys.map(key => result.get(key))
  if (Array.isArray(result) && result.length === keys.length) return result
  throw new LoadResultError(
    `a Map or an array of ${keys.length}, as it was given ${keys.length} keys`,
    result,
  )
}
