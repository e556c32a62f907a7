import {
  checkBoolean,
  checkMethods,
  checkOptions,
  checkPositive,
  checkRange,
  type TimeSource,
} from '@millrace/kit'
import { epochClock } from '../time/clock.ts'
import { DROP, RECORD_AND_SAMPLE, type Sampler, type SamplingDecision } from './sampler.ts'

/** Records every span, whatever its parent says. */
export const alwaysOn: Sampler = {
  description: 'AlwaysOnSampler',
  probability: 1,
  parentBased: false,
  sample: () => RECORD_AND_SAMPLE,
}

/** Records no span. A span then costs a few nanoseconds and still propagates its context. */
export const alwaysOff: Sampler = {
  description: 'AlwaysOffSampler',
  probability: 0,
  parentBased: false,
  sample: () => DROP,
}

export interface RatioOptions {
  /** Whether spans with a parent follow it, and only roots are decided. Default: true */
  readonly parentBased?: boolean | undefined
}

/**
 * Keeps a share of all traces, decided by the trace id, so that every service with the same probability keeps the same
 * traces. The probability is sent along as `ot=th`. Spans with a parent follow it unless `parentBased` is false.
 *
 * @param probability from 0 to 1
 * @throws InvalidOptionError where it is not
 */
export function ratio(probability: number, options: RatioOptions = {}): Sampler {
  checkRange('probability', probability, 0, 1)
  const { parentBased = true } = checkOptions('', options, { parentBased: true })
  checkBoolean('parentBased', parentBased)
  return {
    description: `ProbabilitySampler{${probability}}`,
    probability,
    parentBased,
    // The tracer decides by the id itself; this is for callers outside it.
    sample: ({ traceId }): SamplingDecision =>
      Number.parseInt(traceId.slice(18), 16) >= (1 - probability) * 2 ** 56 && probability > 0
        ? RECORD_AND_SAMPLE
        : DROP,
  }
}

/**
 * Keeps at most so many new traces per second, in bursts of at most one second's worth. Spans with a parent follow it.
 *
 * @param tracesPerSecond above 0
 * @throws InvalidOptionError where it is not
 */
export function rateLimited(tracesPerSecond: number, clock: TimeSource = epochClock): Sampler {
  checkPositive('tracesPerSecond', tracesPerSecond)
  checkMethods('clock', clock, 'a clock', ['now'])
  const burst = Math.max(1, tracesPerSecond)
  let tokens = burst
  let last = clock.now()
  return {
    description: `RateLimitingSampler{${tracesPerSecond}}`,
    sample(): SamplingDecision {
      const now = clock.now()
      // A clock that was set back earns nothing, and costs nothing either.
      tokens = Math.min(burst, tokens + (Math.max(0, now - last) / 1_000) * tracesPerSecond)
      last = now
      if (tokens < 1) return DROP
      tokens--
      return RECORD_AND_SAMPLE
    },
  }
}
