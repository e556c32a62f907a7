import type { Clock, Timer } from '@millrace/kit'

/**
 * ms of work after which the event loop gets its turn. By the clock and not by count, as a series takes ten times as long while its code
 * is cold. What slices do not shorten: garbage collection, whose pauses grow with what survives them, and, where busy threads outnumber
 * cores, the kernel's time slice. Longest blocks: benchmarks/results, suite `metrics`.
 */
export const SLICE = 0.5

/** How work in slices tells the time, and how it lets others run. */
export interface Pace {
  /** Milliseconds from any origin. */
  now(): number
  pause(): Promise<void>
}

const eventLoop: Pace = {
  now: () => performance.now(),
  pause: () => new Promise(resolve => setImmediate(resolve)),
}

/** The event loop's turns, with the time of `clock`. */
export function paceOf(clock: Clock): Pace {
  return { now: () => clock.now(), pause: eventLoop.pause }
}

/**
 * Does `steps` in slices of {@link SLICE}, and lets the event loop turn between them. A slice is as much longer as a step.
 *
 * @throws the reason of `signal`, once it is aborted, between two slices
 */
export async function inSlices<R>(
  steps: Iterator<void, R>,
  signal?: AbortSignal,
  pace: Pace = eventLoop,
): Promise<R> {
  signal?.throwIfAborted()
  let end = pace.now() + SLICE
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    if (pace.now() < end) continue
    await pace.pause()
    signal?.throwIfAborted()
    end = pace.now() + SLICE
  }
}

/** Work in slices that began, on timers that do not keep the process alive. */
export interface SlicedWork {
  /** Goes on with it no more. */
  cancel(): void
  /** Does the rest of it at once. */
  finish(): void
}

/**
 * As {@link inSlices}, but begins at once: what fits into one slice is done when this returns, and undefined is returned then.
 *
 * @param finished called with what the steps return
 */
export function startSlices<R>(
  steps: Iterator<void, R>,
  clock: Clock,
  finished: (result: R) => void,
): SlicedWork | undefined {
  let ended = false
  let timer: Timer | undefined
  const workUntil = (end: number): void => {
    // What the steps call may cancel them.
    while (!ended) {
      const { done, value } = steps.next()
      if (done) {
        ended = true
        finished(value)
      } else if (clock.now() >= end) return
    }
  }
  const slice = (): void => {
    workUntil(clock.now() + SLICE)
    if (!ended) timer = clock.setTimer(slice, 0)
  }
  slice()
  if (ended) return undefined
  return {
    cancel() {
      ended = true
      timer?.cancel()
    },
    finish() {
      timer?.cancel()
      workUntil(Infinity)
    },
  }
}
