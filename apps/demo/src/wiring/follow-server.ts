import type { RedisBus } from '@millrace/cache-redis'

/** ms between two looks. Gone is what was gone at two in a row: a connection that is made again at once is no trouble. */
const LOOK = 500

/** What is told: that a server has gone, or that it is back. */
export interface ServerEvents {
  onGone(): void
  onBack(): void
}

/**
 * Tells when a Redis server goes and when it is back, by the connection over which a bus hears of it, which breaks with the server and
 * beats while nothing happens. Within 1 s of a break, and of two beats where the server hangs.
 */
export function followServer(
  bus: Pick<RedisBus, 'stats'>,
  { onGone, onBack }: ServerEvents,
): Disposable {
  let gone = false
  let missed = 0
  const timer = setInterval(() => {
    const { subscribed } = bus.stats()
    missed = subscribed === 1 ? 0 : missed + 1
    if (missed >= 2 === gone || missed === 1) return
    gone = !gone
    if (gone) onGone()
    else onBack()
  }, LOOK)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
