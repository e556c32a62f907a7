import type { Case, Contender, TimedUnit } from '../define.ts'
import { fullTiming, quickTiming, timeLoop } from '../measure/time-loop.ts'
import { loadSuite } from './discover-suites.ts'
import { type Answer, ours, type Task } from './messages.ts'

/** The child process: measures one contender of one case for one round, or holds the fixture of a case until told to end. */
async function main(task: Task): Promise<void> {
  const suite = await loadSuite(task.suite, new URL(task.folder))
  const found = 'cases' in suite && suite.cases.find(candidate => candidate.name === task.case)
  if (!found) throw new Error(`Suite ${task.suite} has no case ${JSON.stringify(task.case)}`)
  if (task.kind === 'fixture') await holdFixture(found, task.quick)
  else answer({ kind: 'measured', value: await measureRound(found, task) })
}

async function measureRound(
  { unit, ours: prepareOurs, peers, check }: Case,
  task: Task & { kind: 'round' },
): Promise<number> {
  const prepare = task.contender === ours ? prepareOurs : peers[task.contender]
  if (prepare === undefined) throw new Error(`There is no contender ${task.contender}`)
  const contender: Contender<unknown> = await prepare({ fixture: task.fixture, quick: task.quick })
  try {
    if ('measure' in contender) {
      const { value, result } = await contender.measure()
      check(result, task.contender)
      return value
    }
    const timing = task.quick ? quickTiming : fullTiming
    const { value, results } = await timeLoop(contender, unit as TimedUnit, timing)
    for (const result of results) check(result, task.contender)
    return value
  } finally {
    await contender.close?.()
  }
}

async function holdFixture({ fixture }: Case, quick: boolean): Promise<void> {
  if (fixture === undefined) throw new Error('The case has no fixture')
  const { value, close } = await fixture({ quick })
  process.once('disconnect', () => {
    void Promise.resolve(close()).finally(() => process.exit(0))
  })
  answer({ kind: 'ready', value })
}

function answer(message: Answer): void {
  process.send?.(message)
}

const task = JSON.parse(process.argv[2] ?? '') as Task
main(task).then(
  () => {
    if (task.kind === 'round') process.disconnect()
  },
  (error: unknown) => {
    answer({
      kind: 'failed',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    process.exitCode = 1
    process.disconnect()
  },
)
