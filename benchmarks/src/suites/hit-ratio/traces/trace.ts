/** A recorded sequence of reads, with its keys renumbered 0, 1, 2, … in order of first appearance. */
export interface Trace {
  readonly name: string
  readonly ids: Int32Array
  /** How many different ids there are. */
  readonly distinct: number
  /** Bytes of the object at each read, where the trace has them. */
  readonly sizes?: Int32Array
}

/** Renumbers keys densely, so that policies can hold their state in arrays. */
export function toTrace<K>(name: string, keys: Iterable<K>, count: number): Trace {
  const numbers = new Map<K, number>()
  const ids = new Int32Array(count)
  let at = 0
  for (const key of keys) {
    let id = numbers.get(key)
    if (id === undefined) {
      id = numbers.size
      numbers.set(key, id)
    }
    ids[at++] = id
  }
  if (at !== count) throw new Error(`Trace ${name}: expected ${count} reads, got ${at}`)
  return { name, ids, distinct: numbers.size }
}
