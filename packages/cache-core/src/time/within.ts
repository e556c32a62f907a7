import { type Clock, isThenable, setAwaitedTimer } from '@millrace/kit'
import { graceAfter } from './grace.ts'

/** How long a call is waited for. */
export interface TimeLimit {
  readonly clock: Clock
  /** ms; Infinity for no limit. */
  readonly timeout: number
  /** What the call fails with when that has passed. */
  readonly expired: (timeout: number) => Error
}

/**
 * The answer of `work`, or an error once the time is over, whatever `work` does then. Time in which the thread was blocked counts once.
 *
 * @param late is told when a call that was given up ends after all
 */
export function within<T>(
  { clock, timeout, expired }: TimeLimit,
  work: () => T | PromiseLike<T>,
  late?: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false
    const expire = (): void => {
      over = true
      reject(expired(timeout))
    }
    const due = clock.now() + timeout
    let timer = setAwaitedTimer(
      clock,
      () => {
        const grace = graceAfter(clock.now() - due, timeout)
        if (grace === 0) expire()
        else timer = setAwaitedTimer(clock, expire, grace)
      },
      timeout,
    )
    // Without a signal, which would cost more than the rest: what is done too late harms nothing.
    const end = (settle: () => void): void => {
      timer.cancel()
      if (over) late?.()
      else settle()
    }
    try {
      const answer: T | PromiseLike<T> = work()
      if (isThenable(answer)) {
        answer.then(
          value => end(() => resolve(value)),
          error => end(() => reject(error)),
        )
      } else end(() => resolve(answer))
    } catch (error) {
      end(() => reject(error))
    }
  })
}
