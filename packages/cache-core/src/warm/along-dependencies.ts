import { checkFunction, checkInteger } from '@millrace/kit'
import { checkIterable } from '../iterate/check-iterable.ts'
import { letGo } from '../iterate/let-go.ts'
import { DependenciesError } from './dependencies-error.ts'

/** What a key depends on, known at once or later. */
export type DependenciesOf<K> = (key: K) => Iterable<K> | PromiseLike<Iterable<K>>

/**
 * Keys and what they depend on, breadth first, each once: first the roots, then what they depend on, and so on. What a key depends on is
 * asked after the key was handed on and others of its level were, so it may be something that only the loaded value says. Memory: the keys
 * handed on.
 *
 * Where `dependenciesOf` fails for a key, one `next` rejects with a {@link DependenciesError}, which ends a `for await`; the `next` after it
 * goes on with the other keys, as `Warmer` does.
 *
 * @param depth steps from the roots, at least 0; 0 = the roots alone. Default: 3
 */
export function alongDependencies<K>(
  roots: Iterable<K>,
  dependenciesOf: DependenciesOf<K>,
  depth = 3,
): AsyncGenerator<K, void, undefined> {
  return new Walk(walk(roots, dependenciesOf, depth))
}

/** The keys of a walk, which throws what is an error among them and goes on, as no generator can. */
class Walk<K> implements AsyncGenerator<K, void, undefined> {
  readonly #steps: AsyncGenerator<Step<K>, void, undefined>

  constructor(steps: AsyncGenerator<Step<K>, void, undefined>) {
    this.#steps = steps
  }

  async next(): Promise<IteratorResult<K, void>> {
    const { done, value } = await this.#steps.next()
    if (done) return { done, value }
    if (value.error !== undefined) throw value.error
    return { done: false, value: value.key }
  }

  async return(): Promise<IteratorResult<K, void>> {
    await this.#steps.return()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<K, void>> {
    letGo(this.#steps)
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}

/** A key that is handed on, or why those that it leads to are not. */
interface Step<K> {
  readonly key: K
  readonly error?: DependenciesError
}

async function* walk<K>(
  roots: Iterable<K>,
  dependenciesOf: DependenciesOf<K>,
  depth: number,
): AsyncGenerator<Step<K>, void, undefined> {
  checkIterable('roots', roots)
  checkFunction('dependenciesOf', dependenciesOf)
  checkInteger('depth', depth, 0)
  const seen = new Set<K>()
  let level: K[] = []
  for (const root of roots) {
    if (seen.size === seen.add(root).size) continue
    level.push(root)
    yield { key: root }
  }
  for (let step = 0; step < depth && level.length !== 0; step++) {
    const next: K[] = []
    for (const key of level) {
      try {
        // One by one, as there may be no end of them.
        for (const dependency of checkIterable('dependencies', await dependenciesOf(key))) {
          if (seen.size === seen.add(dependency).size) continue
          next.push(dependency)
          yield { key: dependency }
        }
      } catch (cause) {
        yield { key, error: new DependenciesError(key, cause) }
      }
    }
    level = next
  }
}
