import { type MeasuredRow, passes, type Row } from './row.ts'

/** Three significant digits, with thousands separated; enough for figures that vary by per cents. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const magnitude = Math.abs(value)
  if (magnitude >= 1000) return Math.round(value).toLocaleString('en-US')
  if (magnitude >= 100) return value.toFixed(0)
  if (magnitude >= 10) return value.toFixed(1)
  return value.toFixed(2)
}

export function times(ratio: number): string {
  return ratio < 10 ? `${ratio.toFixed(2)}x` : `${figure(ratio)}x`
}

/** With digits enough to see that a miss is one. */
function shownRatio(row: Row): string {
  const shown = times(row.ratio)
  if (row.goal === null || passes(row) !== false || shown !== times(row.goal)) return shown
  const { ratio, goal } = row
  return `${ratio.toFixed([3, 4].find(digits => ratio.toFixed(digits) !== goal.toFixed(digits)) ?? 5)}x`
}

function verdict(row: Row): string {
  const passed = passes(row)
  return passed === undefined ? '' : passed ? 'pass' : 'miss'
}

type Column = readonly [title: string, align: 'left' | 'right', cell: (row: MeasuredRow) => string]

const ratio: Column = ['ratio', 'right', shownRatio]
const goal: Column = ['goal', 'right', row => (row.goal === null ? '' : times(row.goal))]
const judgement: Column = ['', 'left', verdict]

/** The columns of a results table, shared by the terminal and markdown. */
const resultColumns: readonly Column[] = [
  ['case', 'left', row => row.case],
  ['ours', 'right', row => figure(row.ours)],
  ['peer', 'left', row => row.peerName],
  ['its figure', 'right', row => figure(row.peer)],
  ['unit', 'left', row => row.unit],
  ratio,
  goal,
  judgement,
]

/** For rows of several suites; the suite links to its results from the root of the repository. */
const headlineColumns: readonly Column[] = [
  ['suite', 'left', row => `[${row.suite}](benchmarks/results/${row.suite}.md)`],
  ['case', 'left', row => row.case],
  ['against', 'left', row => row.peerName],
  ratio,
  goal,
  judgement,
]

/** A table for the terminal: columns aligned, numbers to the right. */
export function terminalTable(rows: readonly MeasuredRow[]): string {
  return aligned(resultColumns, cellsOf(resultColumns, rows), 0)
    .map(cells => cells.join('  ').trimEnd())
    .join('\n')
}

/** A markdown table whose columns are padded, as the repository's formatter wants it. */
export function markdownTable(rows: readonly MeasuredRow[]): string {
  return markdown(resultColumns, rows)
}

/** One row as an item of a list. */
export function resultLine(row: MeasuredRow): string {
  const { unit } = row
  return `- ${row.case}: ${figure(row.ours)} ${unit}, ${row.peerName} ${figure(row.peer)} ${unit} (${times(row.ratio)})`
}

/** The markdown table of the front page. */
export function headlineTable(rows: readonly MeasuredRow[]): string {
  return markdown(headlineColumns, rows)
}

function markdown(columns: readonly Column[], rows: readonly MeasuredRow[]): string {
  const escaped = cellsOf(columns, rows).map(cells =>
    cells.map(cell => cell.replaceAll('|', '\\|')),
  )
  const [header, ...body] = aligned(columns, escaped, 3)
  const rule = columns.map(([, align], index) => {
    const width = header![index]!.length
    return align === 'right' ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)
  })
  return [header!, rule, ...body].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function cellsOf(columns: readonly Column[], rows: readonly MeasuredRow[]): string[][] {
  return [
    columns.map(([title]) => title),
    ...rows.map(row => columns.map(([, , cell]) => cell(row))),
  ]
}

function aligned(
  columns: readonly Column[],
  lines: readonly string[][],
  leastWidth: number,
): string[][] {
  const widths = columns.map((_, index) =>
    Math.max(leastWidth, ...lines.map(cells => cells[index]!.length)),
  )
  return lines.map(cells =>
    cells.map((cell, index) =>
      columns[index]![1] === 'right' ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
    ),
  )
}
