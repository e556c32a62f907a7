import { expect } from 'vitest'
import type { FinalReport, RoundReport } from './chaos-process.fixture.ts'

/** ms that a call may end after its timeout: as long as a busy machine may keep a process from running without its noticing. */
const SLACK = 1_000
/** Bytes of a heap that does not grow, with room for what a process keeps of a dozen keys. */
const MOST_HEAP = 64 * 2 ** 20

/** Asserts that nothing outdated was served, during a round and after it, and that calls ended in time. */
export function expectSound(rounds: readonly RoundReport[], finals: readonly FinalReport[]): void {
  expect(rounds.flatMap(({ stale }) => stale)).toEqual([])
  expect(finals.flatMap(({ old }) => old)).toEqual([])
  // That something was tried at all.
  for (const count of ['reads', 'changes'] as const) {
    expect(rounds.reduce((sum, round) => sum + round[count], 0)).toBeGreaterThan(0)
  }
  for (const { overtime } of rounds) expect(overtime).toBeLessThan(SLACK)
  for (const { heap } of finals) expect(heap).toBeLessThan(MOST_HEAP)
}
