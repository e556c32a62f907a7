import type { Clock } from '@millrace/cache-core'
import { isThenable, setAwaitedTimer } from '@millrace/kit'

/** Limits of {@link boundedWork}. */
export interface WorkBounds {
  /** ms; Infinity for none. */
  readonly timeout: number
  readonly clock: Clock
  /** Ends the work with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** The error of work that took longer. */
  readonly expired: () => Error
}

/**
 * Runs work that may never end by itself: the result is that of the work, or an error when its time is over or its signal aborts. The work
 * is told by the signal it gets; what it does afterwards is of no consequence.
 */
export async function boundedWork<T>(
  work: (signal: AbortSignal) => T | PromiseLike<T>,
  { timeout, clock, signal, expired }: WorkBounds,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const result = work(controller.signal)
  if (!isThenable<T>(result)) return result
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const end = (reason: unknown): void => {
    controller.abort(reason)
    reject(reason)
  }
  const abort = (): void => end(signal!.reason)
  signal?.addEventListener('abort', abort, { once: true })
  const timer =
    timeout === Infinity ? undefined : setAwaitedTimer(clock, () => end(expired()), timeout)
  // A thenable of another library may also throw.
  Promise.resolve(result).then(resolve, reject)
  try {
    return await promise
  } finally {
    timer?.cancel()
    signal?.removeEventListener('abort', abort)
  }
}
