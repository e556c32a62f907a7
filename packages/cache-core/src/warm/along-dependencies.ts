import { checkFunction, checkInteger } from '@millrace/kit'
import { checkIterable } from '../iterate/check-iterable.ts'

/** What a key depends on, known at once or later. */
export type DependenciesOf<K> = (key: K) => Iterable<K> | PromiseLike<Iterable<K>>

/**
 * Keys and what they depend on, breadth first, each once: first the roots, then what they depend on, and so on. What a key depends on is
 * asked after the key was handed on and others of its level were, so it may be something that only the loaded value says. Memory: the keys
 * handed on.
 *
 * @param depth steps from the roots, at least 0; 0 = the roots alone. Default: 3
 */
export async function* alongDependencies<K>(
  roots: Iterable<K>,
  dependenciesOf: DependenciesOf<K>,
  depth = 3,
): AsyncGenerator<K, void, undefined> {
  checkIterable('roots', roots)
  checkFunction('dependenciesOf', dependenciesOf)
  checkInteger('depth', depth, 0)
  const seen = new Set<K>()
  let level: K[] = []
  for (const root of roots) {
    if (seen.size === seen.add(root).size) continue
    level.push(root)
    yield root
  }
  for (let step = 0; step < depth && level.length !== 0; step++) {
    const next: K[] = []
    for (const key of level) {
      // One by one, as there may be no end of them.
      for (const dependency of await dependenciesOf(key)) {
        if (seen.size === seen.add(dependency).size) continue
        next.push(dependency)
        yield dependency
      }
    }
    level = next
  }
}
