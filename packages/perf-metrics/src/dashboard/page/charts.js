/* The charts of the page, over the last points of each line. */

import { bytes, digits, milliseconds, percent } from './format.js'
import { placeLabels } from './mark-labels.js'

export const element = id => document.getElementById(id)
const HISTORY = 600
/** Of a chart, with its axis and the words of marks above, in CSS pixels. */
const HEIGHT = 180
/** Rows of words of marks above a plot, and the height of each. */
const MARK_ROWS = 3
const MARK_ROW = 13

const cursor = { sync: { key: 'millrace' }, drag: { setScale: false } }
const POWERS_OF_TWO = Array.from({ length: 50 }, (_, i) => 2 ** i)
const CHARTS = [
  {
    title: 'Memory',
    format: bytes,
    lines: { rss: 'resident', heapUsed: 'heap' },
    incrs: POWERS_OF_TWO,
  },
  {
    title: 'Event loop: busy share',
    format: percent,
    lines: { utilization: 'busy' },
    range: [0, 1],
  },
  { title: 'Event loop: p99 delay', format: milliseconds, lines: { delayP99: 'delay' } },
  {
    title: 'Calls per second',
    subject: () => operation ?? 'all operations',
    format: digits,
    lines: { calls: 'calls', failures: 'failed' },
  },
  {
    title: 'Durations, last minute (log scale)',
    subject: () => history.busiest.at(-1),
    format: milliseconds,
    lines: { p50: 'p50', p99: 'p99' },
    log: true,
  },
  {
    title: 'Hit ratio of all caches, last 10 s',
    format: percent,
    lines: { hitRatio: 'hits' },
    range: [0, 1],
  },
]
const STROKES = [
  { stroke: '#3b82f6', width: 2 },
  { stroke: '#e0662f', width: 2, dash: [6, 3] },
]

let history
/** What the charts of calls and durations are about, where that is not everything. */
let operation
/** What was marked, oldest first. */
export let marks = []
const plots = []

/** Begins anew with what the server remembers. */
export function restart(snapshot) {
  history = snapshot.history
  operation = snapshot.operation
  marks = snapshot.marks
}

export function append({ point }) {
  for (const [line, values] of Object.entries(history)) {
    values.push(point[line])
    if (values.length > HISTORY) values.shift()
  }
}

function dataOf({ lines, log }) {
  const line = name =>
    log ? history[name].map(value => (value > 0 ? value : null)) : history[name]
  return [history.elapsed, ...Object.keys(lines).map(line)]
}

function createCharts() {
  const ink = axisColours()
  // All boxes first: the grid's columns, and so the charts' widths, depend on their number.
  const boxes = CHARTS.map(({ title, subject }) => {
    const box = document.createElement('div')
    box.className = 'chart'
    const heading = document.createElement('h2')
    heading.textContent = title
    if (subject) heading.append(document.createElement('span'))
    box.append(heading)
    return box
  })
  element('charts').append(...boxes)
  for (const [i, chart] of CHARTS.entries()) {
    const options = chartOptions(chart, boxes[i].clientWidth, ink)
    plots.push({ chart, box: boxes[i], plot: new uPlot(options, dataOf(chart), boxes[i]) })
  }
}

export const clockTime = seconds =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour12: false })

/** The time of day of a point of the charts, by the clock as it is now: one that was set back shifts the labels, not the lines. */
const dayTime = elapsed => clockTime(elapsed + history.time.at(-1) - history.elapsed.at(-1))

/** The value under the cursor, or the latest one. */
const legendValue = format => (plot, value, series, index) => {
  const shown = index === null ? plot.data[series].at(-1) : value
  return shown === null || shown === undefined ? '–' : format(shown)
}

function chartOptions({ log, range, format, lines, incrs }, width, ink) {
  const fromZero = (_, min, max) => [Math.min(0, min), max * 1.1 || 1]
  return {
    width: Math.max(200, width - 26),
    height: HEIGHT,
    // Room for the words of marks, also before there are any, so that nothing moves.
    padding: [MARK_ROWS * MARK_ROW, null, null, null],
    cursor,
    hooks: { draw: [drawMarks] },
    scales: { x: { time: false }, y: log ? { distr: 3 } : { range: range ?? fromZero } },
    axes: [
      { ...ink, size: 32, space: 80, values: (_, ticks) => ticks.map(dayTime) },
      {
        ...ink,
        ...(incrs && { incrs }),
        size: 72,
        ...(log && { grid: { ...ink.grid, filter: powersOfTen } }),
        values: (_, ticks) => ticks.map(tick => (tick === null ? '' : format(tick))),
      },
    ],
    series: [
      { label: 'time', value: legendValue(dayTime) },
      ...Object.values(lines).map((label, i) => ({
        label,
        ...STROKES[i],
        points: { show: false },
        value: legendValue(format),
      })),
    ],
  }
}

/** Of a logarithmic axis: lines for each digit of each power would be a grey band. */
function powersOfTen(_, ticks) {
  const powers = ticks.map(tick => (Number.isInteger(Math.log10(tick)) ? tick : null))
  return powers.some(power => power !== null) ? powers : ticks
}

/** The marks that are within a chart's time, with the places of their lines on its canvas. */
function visibleMarks({ data: [times], valToPos }) {
  const visible = []
  for (const { elapsed, text } of marks) {
    const point = times.findIndex(seconds => seconds * 1000 >= elapsed)
    if (point > 0) visible.push({ x: valToPos(times[point], 'x', true), text })
  }
  return visible
}

/** A line through each chart where something was marked, with its words above where there is room for them. */
function drawMarks(plot) {
  const { ctx, bbox } = plot
  const { left, top, width, height } = bbox
  const visible = visibleMarks(plot)
  const bottom = top + height
  const rowTop = row => top - (MARK_ROWS - row) * MARK_ROW * devicePixelRatio
  ctx.save()
  ctx.strokeStyle = ctx.fillStyle = getComputedStyle(element('process')).color
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
  ctx.textAlign = 'left'
  ctx.textBaseline = 'top'
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([2, 3])
  const area = { left, right: left + width, rows: MARK_ROWS }
  const labels = placeLabels(visible, area, text => ctx.measureText(text).width)
  const rows = new Map(labels.map(({ mark, row }) => [mark, row]))
  for (const mark of visible) {
    ctx.beginPath()
    ctx.moveTo(mark.x, rowTop(rows.get(mark) ?? MARK_ROWS))
    ctx.lineTo(mark.x, bottom)
    ctx.stroke()
  }
  // Last, with the panel's colour around them: they are read across lines.
  ctx.setLineDash([])
  ctx.lineWidth = 4 * devicePixelRatio
  ctx.lineJoin = 'round'
  ctx.strokeStyle = getComputedStyle(element('alerts').closest('section')).backgroundColor
  for (const { text, left, row } of labels) {
    ctx.strokeText(text, left, rowTop(row))
    ctx.fillText(text, left, rowTop(row))
  }
  ctx.restore()
}

function axisColours() {
  const { color } = getComputedStyle(element('process'))
  const grid = {
    stroke: getComputedStyle(element('alerts').closest('section')).borderTopColor,
    width: 1,
  }
  return { stroke: color, grid, ticks: grid }
}

export function drawCharts() {
  if (plots.length === 0) createCharts()
  else for (const { chart, plot } of plots) plot.setData(dataOf(chart))
  for (const { chart, box, plot } of plots) {
    const subject = chart.subject?.()
    if (subject) {
      const name = box.querySelector('h2 span')
      name.textContent = subject
      name.title = subject
    }
    const [, ...lines] = plot.data
    box.classList.toggle('empty', !lines.some(line => line.some(Number.isFinite)))
  }
}

addEventListener('resize', () => {
  for (const { box, plot } of plots)
    plot.setSize({ width: Math.max(200, box.clientWidth - 26), height: HEIGHT })
})
