import type { Outcome } from './race.ts'

export interface DescribedOutcomes {
  /** Percentage of the orders in which nothing went wrong. */
  readonly won: number
  readonly text: string
}

/** Sums up all orders of one race. */
export function describeOutcomes(outcomes: readonly Outcome[]): DescribedOutcomes {
  const lost = outcomes.filter(o => o.oldValueStays || o.lateReaderGetsOld || o.callerFails)
  const won = (100 * (outcomes.length - lost.length)) / outcomes.length
  const count = (kind: keyof Outcome): number => outcomes.filter(o => o[kind]).length
  const kinds: [string, number][] = [
    ['old value stays', count('oldValueStays')],
    ['late reader gets it', count('lateReaderGetsOld')],
    ['caller fails', count('callerFails')],
  ]
  const losses = kinds.filter(([, n]) => n > 0).map(([text, n]) => `${text} (${n})`)
  const text =
    losses.length === 0
      ? `all ${outcomes.length}`
      : `${outcomes.length - lost.length} of ${outcomes.length}; ${losses.join(', ')}`
  return { won, text }
}

/** Rows: what the writer calls. Columns: the libraries. */
export function racesTable(
  cells: Readonly<Record<string, Readonly<Record<string, string>>>>,
  libraries: readonly string[],
): string {
  const lines = [
    `| orders of events won | ${libraries.join(' | ')} |`,
    `|---|${libraries.map(() => '---').join('|')}|`,
  ]
  for (const [verb, row] of Object.entries(cells)) {
    lines.push(`| ${verb} | ${libraries.map(library => row[library] ?? '–').join(' | ')} |`)
  }
  return lines.join('\n')
}
