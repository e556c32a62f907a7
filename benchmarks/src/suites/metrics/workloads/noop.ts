import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'

const operations = 1_000_000

/** `inc()` of a counter of a disabled registry. */
export const noopCounter: Prepare<number> = async () => {
  const { Registry } = await import('@millrace/perf-metrics')
  return loop(new Registry({ enabled: false }).counter('requests_total'))
}

/** A method that does nothing. */
export const emptyCall: Prepare<number> = async () => {
  class Empty {
    inc(_amount?: number): void {}
  }
  return loop(new Empty())
}

function loop(counter: { inc(): void }) {
  let random = 1
  return {
    operations,
    // The generator keeps the loop itself from being removed, and is the same for both.
    run() {
      for (let i = 0; i < operations; i++) {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0
        counter.inc()
      }
      return random
    },
  }
}

export function checkNoop(random: number): void {
  assert.notEqual(random, 1)
}
