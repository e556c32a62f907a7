/**
 * What a suite file is made of. A suite is `suites/<name>/suite.ts` with a default export from `defineSuite`.
 *
 * The suite file is loaded in the parent and in every child process, so it must import nothing that is measured: a contender
 * is a function that imports its own library, called only in the child that measures that contender.
 */

/** Units whose figure the harness computes from the time of a loop. */
export type TimedUnit = 'ns/op' | 'us/op' | 'ms/op' | 'ops/s' | 'ns CPU/op' | 'us CPU/op'

/** What a contender is given when it is prepared. */
export interface Context {
  /** The value that the case's fixture process announced, for instance the URL of its server. */
  readonly fixture: unknown
  /** True in a short run: fewer repetitions suffice, the work of one operation stays the same. */
  readonly quick: boolean
}

/** A contender that is timed: the harness repeats `run` and divides by `operations`. */
export interface Loop<Result> {
  /** Operations that one `run` performs; at least 1,000, as the timing of less measures the harness. */
  readonly operations: number
  /** Performs the operations. The result goes to the case's `check`; for fast loops return a checksum, so that no work is dead. */
  run(): Result | Promise<Result>
  /** Releases sockets, timers and processes at the end of the round. */
  close?(): void | Promise<void>
}

/** A contender that takes its own figure, in the unit of the case: bytes retained, a start-up time, an error. */
export interface Measurement<Result> {
  measure(): Measured<Result> | Promise<Measured<Result>>
  close?(): void | Promise<void>
}

interface Measured<Result> {
  readonly value: number
  readonly result: Result
}

export type Contender<Result> = Loop<Result> | Measurement<Result>

/** Imports a library, prepares its state and returns what is to be measured. None of that is timed. */
export type Prepare<Result> = (context: Context) => Promise<Contender<Result>>

/** A server that the contenders of a case share; it runs in a process of its own so that its CPU time is not theirs. */
export interface Fixture {
  /** Sent to the contenders as `context.fixture`; must survive JSON. */
  readonly value: unknown
  close(): void | Promise<void>
}

export interface CaseOptions<Result> {
  readonly name: string
  /** What one operation is, for the reader of the results. */
  readonly description: string
  /** For a `Loop` one of `TimedUnit`; for a `Measurement` anything, for instance `bytes/entry`. */
  readonly unit: TimedUnit | (string & {})
  /** Which direction is better. Default: `more` for units that end in `/s`, else `less`. */
  readonly better?: 'less' | 'more'
  /**
   * The ratio (above 1 = ours is better) to reach against every peer, or by peer.
   * "At most 1.1 times the peer's CPU" is the goal `1 / 1.1`.
   */
  readonly goal?: number | Readonly<Record<string, number>>
  /** An absolute bound for our own figure; it becomes a row of its own with the peer name `limit` and the goal 1. */
  readonly limit?: number
  readonly ours: Prepare<Result>
  /** By the name that the table shows: the npm name, or that name and what of it (`lru-cache fetch`). */
  readonly peers: Readonly<Record<string, Prepare<Result>>>
  /** Throws when the work was not done right. Sees the first and the last result of every round of every contender. */
  check(result: Result, contender: string): void
  /** Started once for the case, before its first round, in its own process. */
  readonly fixture?: (context: { readonly quick: boolean }) => Promise<Fixture>
  /**
   * Measures loops in turn: in a round all contenders are alive, each in its own process, and do a run each by turns; the ratio is
   * the median of the ratios of runs side by side. For figures that the machine moves more than the contenders differ.
   * Only with a unit of CPU time, and a `Loop` whose run takes some 100 ms.
   */
  readonly inTurn?: boolean
  /** Rounds of a short run, for cases of which there are many; 0 leaves the case out of it. Default: 3. */
  readonly quickRounds?: number
  /** Longest time of one round of one contender in milliseconds, preparation included. Default: 120,000. */
  readonly timeout?: number
}

/** A case with its result type forgotten, as suites of many cases hold it. */
export type Case = CaseOptions<unknown>

interface SuiteHeader {
  readonly name: string
  /** How the figures come about and what they do not show; markdown, above the table in the results and READMEs. */
  readonly description: string
  /** npm packages whose versions the results state. */
  readonly versions: readonly string[]
  /**
   * Cases that the front page shows, against the peers for which they have a goal, and of which the package's README shows the first
   * three. Default: none.
   */
  readonly headline?: RegExp
}

/** One row of the results of a suite that measures by itself. */
export interface Finding {
  readonly case: string
  readonly unit: string
  readonly better: 'less' | 'more'
  readonly ours: number
  readonly peer: number
  readonly peerName: string
  readonly goal?: number
}

/** A suite that is not timed, such as a replay of traces. */
export interface CustomRun {
  readonly findings: readonly Finding[]
  /** Markdown below the table of findings: the tables that readers want to see. */
  readonly details: string
  /** What of that the package's README shows, too; markdown with headings of the third level. Default: nothing */
  readonly summary?: string
}

interface CustomRunContext {
  readonly quick: boolean
  /** The rest of the command line's `--name value` pairs, for instance `traces`. */
  readonly flags: Readonly<Record<string, string>>
  wanted(caseName: string): boolean
  progress(message: string): void
}

export type Suite = SuiteHeader &
  ({ readonly cases: readonly Case[] } | { run(context: CustomRunContext): Promise<CustomRun> })

export function defineSuite(suite: Suite): Suite {
  return suite
}

/** Types a case by what its contenders return. */
export function defineCase<Result>(options: CaseOptions<Result>): Case {
  return options as unknown as Case
}

export function isBetterMore(unit: string, better?: 'less' | 'more'): boolean {
  return better === undefined ? unit.endsWith('/s') : better === 'more'
}
