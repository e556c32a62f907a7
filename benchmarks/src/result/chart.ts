import { figure, times } from './format.ts'
import type { Row } from './row.ts'

const rowHeight = 22
const labelWidth = 420
const barWidth = 420
const top = 34

/**
 * A bar chart of ratios on a logarithmic axis as standalone SVG: to the right of the line ours is better, and a tick marks the goal.
 */
export function ratioChart(title: string, rows: readonly Row[]): string {
  const scale = logScale(rows)
  const height = top + rows.length * rowHeight + 26
  const width = labelWidth + barWidth + 80
  const one = scale(1)
  const bars = rows.map((row, index) => bar(row, top + index * rowHeight, scale))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="12" y="20" font-size="14" font-weight="600">${escapeXml(title)}: ratio to each peer, right of the line is better</text>
${bars.join('\n')}
<line x1="${one}" x2="${one}" y1="${top - 6}" y2="${height - 22}" stroke="#444444"/>
<text x="${one}" y="${height - 8}" text-anchor="middle" fill="#444444">1x</text>
</svg>
`
}

function bar(row: Row, y: number, scale: (ratio: number) => number): string {
  const [one, end] = [scale(1), scale(row.ratio)]
  const colour = row.ratio >= 1 ? '#2f7d5b' : '#b3532e'
  const label = `${row.case} / ${row.peerName}`
  const goal =
    row.goal === null
      ? ''
      : `<line x1="${scale(row.goal)}" x2="${scale(row.goal)}" y1="${y + 1}" y2="${y + 17}" stroke="#1b1b1b" stroke-width="2"/>`
  return `<g><title>${escapeXml(`${label}: ${figure(row.ours)} against ${figure(row.peer)} ${row.unit}`)}</title>
<text x="${labelWidth - 10}" y="${y + 13}" text-anchor="end">${escapeXml(shorten(label))}</text>
<rect x="${Math.min(one, end)}" y="${y + 3}" width="${Math.max(1, Math.abs(end - one)).toFixed(1)}" height="12" fill="${colour}"/>${goal}
<text x="${labelWidth + barWidth + 8}" y="${y + 13}">${times(row.ratio)}</text></g>`
}

function logScale(rows: readonly Row[]): (ratio: number) => number {
  const ratios = [1, ...rows.flatMap(row => [row.ratio, row.goal ?? 1])]
  const low = Math.log(Math.min(...ratios, 0.5))
  const high = Math.log(Math.max(...ratios, 2))
  return ratio =>
    Number((labelWidth + (barWidth * (Math.log(ratio) - low)) / (high - low)).toFixed(1))
}

const shorten = (label: string): string => (label.length > 62 ? `${label.slice(0, 61)}…` : label)

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
