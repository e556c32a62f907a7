import type { Clock, Timer } from '@millrace/kit'

/**
 * Repeats an action on an object every `interval` ms until cancelled, or until nothing else holds
 * the object: the timer does not keep it alive, so a cache that is forgotten without being disposed
 * of does not leak.
 */
export function repeat<T extends object>(
  clock: Clock,
  interval: number,
  target: T,
  action: (target: T) => void,
): Timer {
  const reference = new WeakRef(target)
  const run = (): void => {
    const alive = reference.deref()
    if (alive === undefined) return
    timer = clock.setTimer(run, interval)
    action(alive)
  }
  let timer = clock.setTimer(run, interval)
  return { cancel: () => timer.cancel() }
}
