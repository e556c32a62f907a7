import { isThenable, warn } from '@millrace/kit'
import type { Limiter, PermitOutcome } from './limiter.ts'

/** What waits for a permit. */
export interface PermitOwner {
  onPermit(): void
  onRefusal(error: Error): void
}

/** One attempt's turn at a limiter: what it is granted goes back exactly once, however late it comes. */
export class PermitTurn {
  readonly #limiter: Limiter
  #permit: unknown
  /** The answer of a `tryAcquire` that has to ask elsewhere, as that of a limiter on Redis. */
  #tried: PromiseLike<unknown> | undefined
  #abort: AbortController | undefined
  #settled = false

  constructor(limiter: Limiter) {
    this.#limiter = limiter
  }

  /** Whether a permit was free. If not, {@link wait} for one. */
  take(): boolean {
    const permit = this.#limiter.tryAcquire?.()
    if (isThenable(permit)) {
      this.#tried = permit
      return false
    }
    this.#permit = permit
    return Boolean(permit)
  }

  /** @param timeout in ms, or Infinity */
  wait(timeout: number, owner: PermitOwner): void {
    this.#abort = new AbortController()
    const { signal } = this.#abort
    const bounds = timeout === Infinity ? { signal } : { signal, timeout }
    const acquire = async () => this.#limiter.acquire(bounds)
    const permit = this.#tried?.then(granted => granted || acquire()) ?? acquire()
    // A limiter of one's own may not wait.
    Promise.resolve(permit).then(
      granted => {
        if (this.#settled) {
          giveBack(granted, 'ignored')
          return
        }
        this.#permit = granted
        this.#abort = undefined
        owner.onPermit()
      },
      error => owner.onRefusal(error),
    )
  }

  end(error: Error | undefined, outcome: PermitOutcome): void {
    this.#settled = true
    this.#abort?.abort(error)
    giveBack(this.#permit, outcome)
    this.#permit = undefined
  }
}

/** Gives back a permit that can be given back. What fails in that is a warning of the process, as the call has had its permit. */
function giveBack(permit: unknown, outcome: PermitOutcome): void {
  if (typeof permit !== 'object' || permit === null || !('release' in permit)) return
  const { release } = permit
  if (typeof release !== 'function') return
  try {
    const released: unknown = release.call(permit, outcome)
    if (isThenable(released)) released.then(undefined, warn)
  } catch (error) {
    warn(error)
  }
}
