import { seededRandom } from '@millrace/testkit'

/**
 * Has `Math.random` give the same numbers each time, until it is disposed of: which keys a cache samples and displaces depends on the seed of
 * its hashes, and of some hundreds one passes a bound that holds for all others.
 */
export function seededMath(): Disposable {
  const { random } = Math
  Math.random = seededRandom(1)
  return {
    [Symbol.dispose]: () => {
      Math.random = random
    },
  }
}
