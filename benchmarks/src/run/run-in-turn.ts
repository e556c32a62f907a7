import { type Case, isBetterMore } from '../define.ts'
import { median, ratioOf } from '../result/row.ts'
import { ours, type Task } from './messages.ts'
import { startTurns, type Turns } from './run-child.ts'

/** Runs of each contender that do not count: all are compiled, and their processes have the size they keep. */
const WARM_UPS = { quick: 10, full: 20 }
const RUNS = { quick: 20, full: 40 }

interface InTurn {
  /** Median of its runs. */
  readonly value: number
  /** Median of the ratios of a run of ours and one of its own, right after each other. */
  readonly ratio: number
}

/** One round in which all contenders are alive and take turns, by contender. */
export async function runInTurn(
  { unit, better, timeout = 120_000 }: Case,
  tasks: readonly (Task & { kind: 'round' })[],
): Promise<Map<string, InTurn>> {
  const size = tasks.some(({ quick }) => quick) ? 'quick' : 'full'
  const turns = new Map<string, Turns>()
  try {
    // One after the other: they would slow each other down.
    for (const task of tasks) turns.set(task.contender, await startTurns(task, timeout))
    const figures = new Map<string, number[]>(tasks.map(({ contender }) => [contender, []]))
    for (let run = -WARM_UPS[size]; run < RUNS[size]; run++) {
      const names = [...turns.keys()]
      // Forth and back, so that none always runs after the same one.
      for (const name of run % 2 === 0 ? names : names.reverse()) {
        const value = await turns.get(name)!.next()
        if (run >= 0) figures.get(name)!.push(value)
      }
    }
    const own = figures.get(ours)!
    const more = isBetterMore(unit, better)
    return new Map(
      [...figures].map(([name, values]) => {
        const pairs = values.map((value, run) => ratioOf(own[run]!, value, more))
        return [name, { value: median(values), ratio: median(pairs) }]
      }),
    )
  } finally {
    for (const { stop } of turns.values()) await stop()
  }
}
