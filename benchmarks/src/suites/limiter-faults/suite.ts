import assert from 'node:assert/strict'
import { type Case, defineCase, defineSuite } from '../../define.ts'
import type { Fault, FaultRun } from './contenders/fault.ts'

/**
 * @param limit permits beyond the bound that the README states for the fault
 */
function fault(name: Fault, description: string, limit: number): Case {
  return defineCase<FaultRun>({
    name,
    description,
    unit: 'permits over',
    better: 'less',
    limit,
    quickRounds: 1,
    ours: async context => (await import('./contenders/fault.ts')).fault(name)(context),
    peers: {},
    check: ({ granted, before, after }) => {
      assert.ok(granted > 0)
      // It goes on: shares of four are the whole rate, but for the second in which they stand still.
      assert.ok(after > before / 3, `${before} permits before the fault, ${after} after it`)
    },
  })
}

export default defineSuite({
  name: 'limiter-faults',
  description:
    'Four processes share a bucket of 200/s, or one by key, with a burst of 10 on one Redis, or a semaphore of 12 permits, 30 callers each in a closed loop. ' +
    'A fault strikes in the middle, when they have been heard for long enough to know that they are four. The figure is the most permits beyond burst and rate in any stretch of time, or the most inside beyond the permits at any moment; the limit is what the ' +
    'README states for the fault, a burst per process or one in all, and 12 for late deliveries.',
  versions: [],
  cases: [
    fault('no fault', 'for comparison: what late deliveries alone make', 12),
    fault('FLUSHALL', 'Redis forgets everything while callers wait', 22),
    fault('mixed options', 'two of the four have other maxWait and timeouts', 12),
    fault('process killed', 'one of the four is killed with all that it had reserved', 12),
    fault('Redis paused', 'Redis answers nothing for 1.5 s, shares are local', 52),
    fault('Redis killed', 'Redis is killed, comes back empty after a second, shares are local', 52),
    fault(
      'semaphores after a loss',
      'Redis forgets everything while all places of a semaphore are taken, and leases differ',
      0,
    ),
    fault(
      'clock set forward',
      "the server's clock is set forward by an hour, and a fifth process begins; 8 keys of 25/s each",
      12,
    ),
    fault('clock set back', 'the same, back by an hour', 12),
  ],
})
