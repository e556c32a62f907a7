import { heed, InvalidOptionError } from '@millrace/kit'
import type { BusListener, InvalidationBus } from './invalidation-bus.ts'

/**
 * Listens to a bus, if there is one; how to leave it.
 *
 * @throws {InvalidOptionError} for one that subscribes later: until then invalidations would be lost, unnoticed
 */
export function subscribe(
  bus: InvalidationBus | undefined,
  listener: BusListener,
): (() => void) | undefined {
  const unsubscribe = bus?.subscribe(listener)
  if (!heed(unsubscribe)) return unsubscribe
  throw new InvalidOptionError('bus', 'a bus whose `subscribe` returns at once', unsubscribe)
}
