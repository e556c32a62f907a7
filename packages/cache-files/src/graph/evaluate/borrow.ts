import { type Flight, Waiter } from './flight.ts'
import { waitPath } from './wait-path.ts'

/**
 * Waits while another look computes the same node, as its result may serve this one too. Not where that one waits for this: then, or when it
 * comes to that, each computes for itself.
 *
 * @returns whether it has waited
 */
export async function borrow(flight: Flight, other: Flight): Promise<boolean> {
  if (other.over || flight.over || waitPath(other, flight) !== undefined) return false
  const released = Promise.withResolvers<void>()
  const waiter = new Waiter(other)
  flight.asked.set(other, waiter)
  flight.release = () => {
    flight.release = undefined
    flight.asked.delete(other)
    waiter.leave()
    released.resolve()
  }
  await Promise.race([
    other.landed.then(
      () => undefined,
      () => undefined,
    ),
    released.promise,
  ])
  flight.release?.()
  return true
}
