import { heed, InvalidOptionError } from '@millrace/kit'
import { tellListener } from '../../tell-listener.ts'
import type { BusListener, Invalidation, InvalidationBus } from './invalidation-bus.ts'

/**
 * Listens to a bus, if there is one; how to leave it. What a bus delivers that is no invalidation may have been one: it is a gap, and a
 * warning of the process, never an error in the bus.
 *
 * @throws {InvalidOptionError} for one that subscribes later: until then invalidations would be lost, unnoticed
 */
export function subscribe(
  bus: InvalidationBus | undefined,
  listener: BusListener,
): (() => void) | undefined {
  const unsubscribe = bus?.subscribe({
    onInvalidations(delivered) {
      const failed = tellListener('onInvalidations', () => hear(listener, delivered))
      if (failed !== undefined) listener.onGap()
    },
    onGap: () => listener.onGap(),
  })
  if (!heed(unsubscribe)) return unsubscribe
  throw new InvalidOptionError('bus', 'a bus whose `subscribe` returns at once', unsubscribe)
}

/** @throws {TypeError} for a delivery that is not all invalidations, when those among it are done */
function hear(listener: BusListener, delivered: readonly Invalidation[]): void {
  const known = delivered.filter(isInvalidation)
  listener.onInvalidations(known)
  if (known.length < delivered.length) throw new TypeError('The bus delivered no invalidation')
}

const TARGETS: readonly unknown[] = [
  'key',
  'tag',
  'pattern',
  'all',
] satisfies Invalidation['target'][]

function isInvalidation(delivered: Invalidation | null | undefined): boolean {
  const { verb, target, name } = delivered ?? {}
  return (
    (verb === 'delete' || verb === 'expire') && TARGETS.includes(target) && typeof name === 'string'
  )
}
