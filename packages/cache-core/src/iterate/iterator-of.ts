import { checkIterable } from './check-iterable.ts'

/**
 * An iterator over what is iterable at once or later.
 *
 * @throws {InvalidOptionError} if it is neither
 */
export function iteratorOf<T>(
  option: string,
  source: Iterable<T> | AsyncIterable<T>,
): Iterator<T> | AsyncIterator<T> {
  const begin = (source as Partial<AsyncIterable<T>> | null | undefined)?.[Symbol.asyncIterator]
  if (typeof begin === 'function') return begin.call(source as AsyncIterable<T>)
  return checkIterable(option, source as Iterable<T>)[Symbol.iterator]()
}
