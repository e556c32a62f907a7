/** Milliseconds of work after which the event loop gets its turn. */
export const SLICE = 1

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

/**
 * Does `steps` in slices of {@link SLICE}, and lets the event loop turn between them. A slice is as much longer as a step.
 *
 * @throws the reason of `signal`, once it is aborted, between two slices
 */
export async function inSlices(
  steps: Iterable<void>,
  signal?: AbortSignal,
  pace: Pace = eventLoop,
): Promise<void> {
  signal?.throwIfAborted()
  let end = pace.now() + SLICE
  for (const _ of steps) {
    if (pace.now() < end) continue
    await pace.pause()
    signal?.throwIfAborted()
    end = pace.now() + SLICE
  }
}
