import { type Case, isBetterMore, type Suite } from '../define.ts'
import { type MeasuredRow, median, ratioOf } from '../result/row.ts'
import { suitesFolder } from './discover-suites.ts'
import { ours } from './messages.ts'
import { runRound, startFixture } from './run-child.ts'
import { runInTurn } from './run-in-turn.ts'

export interface RunOptions {
  readonly quick: boolean
  /** Which cases to run. Default: all. */
  readonly wanted?: ((caseName: string) => boolean) | undefined
  readonly flags?: Readonly<Record<string, string>>
  readonly folder?: URL
  progress?(message: string): void
}

export interface SuiteResult {
  readonly rows: readonly MeasuredRow[]
  /** Markdown that follows the table, from suites that measure by themselves. */
  readonly details: string
  /** What of that READMEs show, too. Default: nothing */
  readonly summary?: string
  /** Cases that computed the wrong thing or broke, one message each; they have no rows. */
  readonly failures: readonly string[]
}

/** Rounds per contender; the figure is their median. */
const roundsOf = ({ quickRounds = 3 }: Case, quick: boolean): number => (quick ? quickRounds : 5)

/** Runs the suite's cases one after the other and returns one row for each peer of each case. */
export async function runSuite(suite: Suite, options: RunOptions): Promise<SuiteResult> {
  const progress = options.progress ?? (() => undefined)
  if ('run' in suite) {
    const {
      findings,
      details,
      summary = '',
    } = await suite.run({
      quick: options.quick,
      flags: options.flags ?? {},
      wanted: options.wanted ?? (() => true),
      progress,
    })
    const rows = findings.map(({ better, goal, ...finding }) => {
      const ratio = ratioOf(finding.ours, finding.peer, better === 'more')
      return {
        suite: suite.name,
        ...finding,
        ratio,
        goal: goal ?? null,
        spread: [ratio, ratio] as const,
      }
    })
    return { rows, details, summary, failures: [] }
  }
  const rows: MeasuredRow[] = []
  const failures: string[] = []
  for (const one of suite.cases) {
    if (options.wanted && !options.wanted(one.name)) continue
    if (roundsOf(one, options.quick) === 0) continue
    try {
      rows.push(...(await runCase(suite.name, one, { ...options, progress })))
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  return { rows, details: '', failures }
}

async function runCase(
  suite: string,
  one: Case,
  { quick, folder = suitesFolder, progress }: RunOptions,
): Promise<MeasuredRow[]> {
  const task = { folder: folder.href, suite, case: one.name, quick }
  const fixture = one.fixture && (await startFixture({ kind: 'fixture', ...task }))
  try {
    const contenders = [ours, ...Object.keys(one.peers)]
    const figures = new Map<string, number[]>(contenders.map(name => [name, []]))
    const ratios = new Map<string, number[]>(contenders.map(name => [name, []]))
    const rounds = roundsOf(one, quick)
    for (let round = 0; round < rounds; round++) {
      progress?.(`${suite} / ${one.name}: round ${round + 1} of ${rounds}`)
      if (one.inTurn === true) {
        const tasks = contenders.map(
          contender => ({ kind: 'round', ...task, contender, fixture: fixture?.value }) as const,
        )
        const measured = await runInTurn(one, tasks)
        for (const [name, { value, ratio }] of measured) {
          figures.get(name)!.push(value)
          ratios.get(name)!.push(ratio)
        }
        continue
      }
      // Each round starts with another contender, so that none always runs on the machine the same one left behind.
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(round + turn) % contenders.length]!
        const value = await runRound(
          { kind: 'round', ...task, contender, fixture: fixture?.value },
          one.timeout ?? 120_000,
        )
        figures.get(contender)!.push(value)
      }
    }
    return toRows(suite, one, figures, one.inTurn === true ? ratios : undefined)
  } finally {
    await fixture?.stop()
  }
}

/**
 * Medians by contender, and one row for each peer and for the absolute limit.
 *
 * @param ratios of each peer by rounds, where they are not those of the figures
 */
export function toRows(
  suite: string,
  { name, unit, better, goal, limit, peers }: Case,
  figures: ReadonlyMap<string, readonly number[]>,
  ratios?: ReadonlyMap<string, readonly number[]>,
): MeasuredRow[] {
  const more = isBetterMore(unit, better)
  const own = figures.get(ours)!
  const row = (peerName: string, against: readonly number[], target: number | undefined) => {
    const inTurn = ratios?.get(peerName)
    const paired = inTurn ?? own.map((value, round) => ratioOf(value, against[round]!, more))
    const [oursMedian, peerMedian] = [median(own), median(against)]
    return {
      suite,
      case: name,
      ours: oursMedian,
      peer: peerMedian,
      peerName,
      unit,
      ratio: inTurn === undefined ? ratioOf(oursMedian, peerMedian, more) : median(inTurn),
      goal: target ?? null,
      spread: [Math.min(...paired), Math.max(...paired)] as const,
    }
  }
  const rows = Object.keys(peers).map(peer =>
    row(peer, figures.get(peer)!, typeof goal === 'number' ? goal : goal?.[peer]),
  )
  if (limit !== undefined)
    rows.push(
      row(
        'limit',
        own.map(() => limit),
        1,
      ),
    )
  return rows
}
