import type { Case, Contender, TimedUnit } from '../define.ts'
import { fullTiming, quickTiming, timeLoop, toUnit } from '../measure/time-loop.ts'
import { loadSuite } from './discover-suites.ts'
import { type Answer, ours, type Task } from './messages.ts'

/** The child process: measures one contender of one case for one round, or holds the fixture of a case until told to end. */
async function main(task: Task): Promise<void> {
  const suite = await loadSuite(task.suite, new URL(task.folder))
  const found = 'cases' in suite && suite.cases.find(candidate => candidate.name === task.case)
  if (!found) throw new Error(`Suite ${task.suite} has no case ${JSON.stringify(task.case)}`)
  if (task.kind === 'fixture') await holdFixture(found, task.quick)
  else if (task.inTurn) await serveRuns(found, task)
  else answer({ kind: 'measured', value: await measureRound(found, task) })
}

/** Measures a run whenever the parent asks, until it ends this process. */
async function serveRuns(one: Case, task: Task & { kind: 'round' }): Promise<void> {
  const contender = await prepare(one, task)
  if ('measure' in contender) throw new Error('What is measured in turn must be a loop')
  // From one run to the next: what the process does after its run, such as the rest of a garbage collection, is its own as well.
  let before = process.cpuUsage()
  const measure = async (): Promise<void> => {
    const result = await contender.run()
    one.check(result, task.contender)
    const { user, system } = process.cpuUsage(before)
    before = process.cpuUsage()
    const seconds = (user + system) / 1e6
    const value = toUnit(seconds / contender.operations, one.unit as TimedUnit)
    answer({ kind: 'measured', value })
  }
  process.on('message', () => void measure().catch(fail))
  answer({ kind: 'ready', value: undefined })
}

async function prepare(
  { ours: prepareOurs, peers }: Case,
  { contender, fixture, quick }: Task & { kind: 'round' },
): Promise<Contender<unknown>> {
  const own = contender === ours ? prepareOurs : peers[contender]
  if (own === undefined) throw new Error(`There is no contender ${contender}`)
  return own({ fixture, quick })
}

async function measureRound(one: Case, task: Task & { kind: 'round' }): Promise<number> {
  const { unit, check } = one
  const contender = await prepare(one, task)
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

function fail(error: unknown): void {
  answer({
    kind: 'failed',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
  process.exitCode = 1
  process.disconnect()
}

const task = JSON.parse(process.argv[2] ?? '') as Task
main(task).then(() => {
  if (task.kind === 'round' && !task.inTurn) process.disconnect()
}, fail)
