import { setImmediate as nextTurn } from 'node:timers/promises'
import { everyInterleaving, type SeededScheduler } from '@millrace/testkit'

/** What a writer calls after the source has changed. */
export type Verb = 'delete' | 'expire' | 'delete by tag' | 'delete by pattern' | 'clear' | 'set'

export const verbs: readonly Verb[] = [
  'delete',
  'expire',
  'delete by tag',
  'delete by pattern',
  'clear',
  'set',
]

/** A library reduced to what the race needs: one key, tagged where the library has tags. */
export interface Racer {
  /** The value, loaded by `load` if it is not held. */
  read(load: () => Promise<number>): Promise<number | undefined>
  /** The value that is held, without loading. */
  held(): Promise<number | undefined>
  /** Says that the source changed to `version`, in the words the library has. */
  readonly changed: Partial<Record<Verb, (version: number) => unknown>>
  close?(): unknown
}

/** What went wrong in one order of events, worst first. */
export interface Outcome {
  /** The old value is in the cache after everything has ended: every later reader gets it. */
  oldValueStays: boolean
  /** A reader who asked after the change got what was there before it. */
  lateReaderGetsOld: boolean
  /** A caller got an error or nothing although the source answered. */
  callerFails: boolean
}

/**
 * One load is under way while a writer changes the source and says so, and another reader comes; in every order in which
 * the source can be read, its reply arrive, the change happen and the reader come.
 */
export async function race(open: () => Promise<Racer>, verb: Verb): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  await everyInterleaving(async scheduler => {
    const racer = await open()
    try {
      outcomes.push(await runOnce(racer, racer.changed[verb]!, scheduler))
    } finally {
      await racer.close?.()
    }
  })
  return outcomes
}

async function runOnce(
  racer: Racer,
  changed: (version: number) => unknown,
  scheduler: SeededScheduler,
): Promise<Outcome> {
  const outcome = { oldValueStays: false, lateReaderGetsOld: false, callerFails: false }
  let version = 1
  /** The version of the source when the last change had been announced. */
  let announced = 1
  const load = scheduler.wrap(async () => {
    passTime()
    return version
  }, 'source')
  const read = async (): Promise<void> => {
    const atLeast = announced
    passTime()
    try {
      const value = await racer.read(load)
      if (value === undefined) outcome.callerFails = true
      else if (value < atLeast) outcome.lateReaderGetsOld = true
    } catch {
      outcome.callerFails = true
    }
  }
  const done = [
    read(),
    scheduler.defer(async () => {
      passTime()
      await changed(++version)
      announced = version
      passTime()
    }, 'change'),
    scheduler.defer(read, 'reader'),
  ]
  await scheduler.settle()
  await Promise.all(done)
  await nextTurn()
  const held = await racer.held()
  if (held !== undefined && held < version) outcome.oldValueStays = true
  return outcome
}

/** Two milliseconds between events, as clocks that cannot tell two events apart would decide the race by a tie. */
function passTime(): void {
  const until = performance.now() + 2
  while (performance.now() < until) {}
}
