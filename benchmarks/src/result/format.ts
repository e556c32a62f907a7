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

export function verdict(row: Row): string {
  const passed = passes(row)
  return passed === undefined ? '' : passed ? 'pass' : 'miss'
}

/** The columns of a results table, shared by the terminal and markdown. */
export const header: readonly string[] = [
  'case',
  'ours',
  'peer',
  'its figure',
  'unit',
  'ratio',
  'goal',
  '',
]

export function columns(row: MeasuredRow): string[] {
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

/** A table for the terminal: columns aligned, numbers to the right. */
export function terminalTable(rows: readonly MeasuredRow[]): string {
  const lines = [header, ...rows.map(columns)]
  const widths = header.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  const right = new Set([1, 3, 5, 6])
  return lines
    .map(line =>
      line
        .map((cell, column) =>
          right.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownTable(rows: readonly MeasuredRow[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    line(header),
    '|---|--:|---|--:|---|--:|--:|---|',
    ...rows.map(row => line(columns(row))),
  ].join('\n')
}
