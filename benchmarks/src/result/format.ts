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

function verdict(row: Row): string {
  const passed = passes(row)
  return passed === undefined ? '' : passed ? 'pass' : 'miss'
}

/** The columns of a results table, shared by the terminal and markdown. */
const header: readonly string[] = [
  'case',
  'ours',
  'peer',
  'its figure',
  'unit',
  'ratio',
  'goal',
  '',
]

function columns(row: MeasuredRow): string[] {
  return [
    row.case,
    figure(row.ours),
    row.peerName,
    figure(row.peer),
    row.unit,
    times(row.ratio),
    row.goal === null ? '' : times(row.goal),
    verdict(row),
  ]
}

/** Columns of numbers. */
const rightAligned: ReadonlySet<number> = new Set([1, 3, 5, 6])

/** A table for the terminal: columns aligned, numbers to the right. */
export function terminalTable(rows: readonly MeasuredRow[]): string {
  const lines = [header, ...rows.map(columns)]
  const widths = header.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  return lines
    .map(line =>
      line
        .map((cell, column) =>
          rightAligned.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** A markdown table whose columns are padded, as the repository's formatter wants it. */
export function markdownTable(rows: readonly MeasuredRow[]): string {
  const lines = [header, ...rows.map(columns)].map(cells =>
    cells.map(cell => cell.replaceAll('|', '\\|')),
  )
  const widths = header.map((_, column) =>
    Math.max(3, ...lines.map(cells => cells[column]!.length)),
  )
  const rule = widths.map((width, column) =>
    rightAligned.has(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  )
  const padded = lines.map(cells =>
    cells.map((cell, column) =>
      rightAligned.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    ),
  )
  return [padded[0]!, rule, ...padded.slice(1)].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}
