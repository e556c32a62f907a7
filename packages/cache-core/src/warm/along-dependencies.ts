import { checkFunction, checkInteger } from '@millrace/kit'

/** What a key depends on, known at once or later. */
export type DependenciesOf<K> = (key: K) => Iterable<K> | PromiseLike<Iterable<K>>

/**
 * Keys and what they depend on, breadth first, each once: first the roots, then what they depend on, and so on. What a key depends on is
 * asked after the key was handed on and others of its level were, so it may be something that only the loaded value says.
 *
 * @param depth steps from the roots, at least 0; 0 = the roots alone. Default: 3
 */
export async function* alongDependencies<K>(
  roots: Iterable<K>,
  dependenciesOf: DependenciesOf<K>,
  depth = 3,
): AsyncGenerator<K, void, undefined> {
  checkFunction('dependenciesOf', dependenciesOf)
  checkInteger('depth', depth, 0)
  const seen = new Set(roots)
  let level = [...seen]
  for (let step = 0; level.length !== 0; step++) {
    yield* level
    if (step === depth) return
    const next: K[] = []
    for (const key of level) {
      for (const dependency of await dependenciesOf(key)) {
        if (seen.size !== seen.add(dependency).size) next.push(dependency)
      }
    }
    level = next
  }
}
