/** Methods that change a collection or a date, which freezing it does not take away. */
const CHANGES = [
  [Map, ['set', 'delete', 'clear']],
  [Set, ['add', 'delete', 'clear']],
  [Date, Object.getOwnPropertyNames(Date.prototype).filter(name => name.startsWith('set'))],
] as const

/** What was frozen here: an object that its owner froze may hold some that can be changed. */
const frozen = new WeakSet<object>()

/**
 * Freezes a value with everything that it holds, circles too, so that a change throws a `TypeError` where it is made. Maps, sets and dates
 * lose the methods that change them, unless they were frozen before, when nothing can be taken from them. Typed arrays, which cannot be
 * frozen, proxies that refuse it, functions, which are others' code, and private fields stay as they are. O(size) once; what was frozen here, with what it holds, costs O(1).
 */
export function deepFreeze<T>(value: T): T {
  const open: unknown[] = [value]
  while (open.length !== 0) {
    const next = open.pop()
    if (!isObject(next) || frozen.has(next) || ArrayBuffer.isView(next)) continue
    for (const [type, methods] of CHANGES) {
      if (!(next instanceof type) || !Object.isExtensible(next)) continue
      for (const name of methods) Object.defineProperty(next, name, { value: refuse })
    }
    // Before what it holds, so that circles end.
    frozen.add(next)
    try {
      Object.freeze(next)
    } catch {
      // A proxy that refuses: its author decides what can be changed.
    }
    if (next instanceof Map) for (const pair of next) open.push(...pair)
    else if (next instanceof Set) for (const held of next) open.push(held)
    for (const key of Reflect.ownKeys(next)) {
      // Only what is there: a getter is not called.
      const { value: held } = Reflect.getOwnPropertyDescriptor(next, key)!
      if (isObject(held)) open.push(held)
    }
  }
  return value
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function refuse(): never {
  throw new TypeError('Cannot change a value that a cache has handed out')
}
