/* The live page: no framework, no markup from data, nothing from another origin. */

const element = id => document.getElementById(id)
const HISTORY = 600

// --- numbers -------------------------------------------------------------------------------------------------------

const digits = value =>
  value === null || value === undefined || Number.isNaN(value)
    ? '–'
    : Math.abs(value) >= 100
      ? Math.round(value).toLocaleString('en')
      : String(Number(value.toPrecision(3)))

const percent = share => (share === null ? '–' : `${digits(share * 100)} %`)

function milliseconds(value) {
  if (value === null || value === undefined) return '–'
  if (value === 0) return '0 ms'
  if (value >= 60_000) return `${digits(value / 60_000)} min`
  if (value >= 1000) return `${digits(value / 1000)} s`
  return value >= 1 ? `${digits(value)} ms` : `${digits(value * 1000)} µs`
}

function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let power = 0
  while (Math.abs(value) >= 1024 && power < units.length - 1) {
    value /= 1024
    power++
  }
  return `${digits(value)} ${units[power]}`
}

// --- tables --------------------------------------------------------------------------------------------------------

/**
 * Fills a table; its section is hidden while there are no rows. Cells are text, nodes, or [text, class]. On a narrow screen every
 * cell carries the head of its column instead of standing below it.
 */
function fill(id, head, rows) {
  const table = element(id)
  table.closest('section').hidden = rows.length === 0
  const names = head.map(cell => (Array.isArray(cell) ? cell[0] : cell))
  const row = (cells, tag) => {
    const tr = document.createElement('tr')
    for (const [column, cell] of cells.entries()) {
      const td = document.createElement(tag)
      if (tag === 'td') td.dataset.head = names[column]
      if (cell instanceof Node) td.append(cell)
      else if (Array.isArray(cell)) [td.textContent, td.className] = cell
      else td.textContent = cell
      tr.append(td)
    }
    return tr
  }
  table.replaceChildren(row(head, 'th'), ...rows.map(cells => row(cells, 'td')))
}

function bar(value, max) {
  const meter = document.createElement('meter')
  meter.max = max
  meter.value = value
  meter.title = `${bytes(value)} of ${bytes(max)}`
  return meter
}

let previous

/** Change per second of a count since the last frame. */
function rate(frame, part, field) {
  const before = previous?.parts.find(other => other.name === part.name)
  const seconds = previous ? (frame.elapsed - previous.elapsed) / 1000 : 0
  if (!before || seconds <= 0 || part.values[field] === undefined) return null
  return Math.max(0, (part.values[field] - before.values[field]) / seconds)
}

function showParts(frame) {
  const kind = wanted => frame.parts.filter(part => part.kind === wanted)
  fill(
    'caches',
    ['cache', 'hit ratio', 'gets/s', 'entries', 'bytes', 'budget', 'removals/s', 'load failures'],
    kind('cache').map(part => {
      const { values } = part
      const hits = rate(frame, part, 'hits')
      const misses = rate(frame, part, 'misses')
      const removals = rate(frame, part, 'removals') ?? rate(frame, part, 'evictions')
      return [
        part.name,
        percent(part.hitRatio),
        digits(hits === null ? null : hits + misses),
        digits(values.entries),
        values.bytes === undefined ? '–' : bytes(values.bytes),
        Number.isFinite(values.maxBytes) ? bar(values.bytes, values.maxBytes) : '–',
        digits(removals),
        digits(values.loadFailures),
      ]
    }),
  )
  fill(
    'limiters',
    ['limiter', 'granted/s', 'refused/s', 'waiting', 'available', 'timeouts'],
    kind('limiter').map(part => [
      part.name,
      digits(rate(frame, part, 'granted')),
      digits(rate(frame, part, 'refused')),
      digits(part.values.waiting),
      digits(part.values.available),
      digits(part.values.timeouts),
    ]),
  )
  const all = part =>
    Object.entries(part.values)
      .filter(([field]) => !field.includes('.'))
      .map(([field, value]) => `${field} ${digits(value)}`)
      .join(', ')
  fill(
    'pools',
    ['pool', ['numbers', 'text']],
    kind('pool').map(part => [part.name, [all(part), 'text']]),
  )
  fill(
    'others',
    ['part', ['numbers', 'text']],
    kind('other').map(part => [part.name, [all(part), 'text']]),
  )
}

function showTimings(frame) {
  fill(
    'timings',
    ['operation', 'calls/s', 'p50', 'p95', 'p99', 'calls', 'failures', 'failure rate'],
    frame.timings.map(timing => {
      const labels = Object.entries(timing.labels).map(([name, value]) => `${name}=${value}`)
      return [
        [timing.name, ...labels].join(' '),
        digits(timing.rate),
        milliseconds(timing.p50),
        milliseconds(timing.p95),
        milliseconds(timing.p99),
        digits(timing.count),
        digits(timing.failures),
        percent(timing.failureRate),
      ]
    }),
  )
  fill(
    'alerts',
    ['rule', 'state', ['found', 'text'], ['summary', 'text']],
    frame.alerts.map(alert => [
      alert.name,
      [alert.state, alert.state],
      [alert.text, 'text'],
      [alert.summary, 'text'],
    ]),
  )
  fill(
    'slow',
    ['span', 'duration', 'began', 'outcome', ['trace', 'text']],
    frame.slow.map(span => [
      span.name,
      milliseconds(span.duration),
      clockTime(span.start / 1000),
      span.error ? ['failed', 'tripped'] : 'ok',
      [span.traceId, 'text'],
    ]),
  )
}

// --- charts --------------------------------------------------------------------------------------------------------

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
  { title: 'Calls per second', format: digits, lines: { calls: 'calls', failures: 'failed' } },
  {
    title: 'Busiest operation',
    subject: 'busiest',
    format: milliseconds,
    lines: { p50: 'p50', p99: 'p99' },
    log: true,
  },
  { title: 'Hit ratio of all caches', format: percent, lines: { hitRatio: 'hits' }, range: [0, 1] },
]
const STROKES = [
  { stroke: '#3b82f6', width: 2 },
  { stroke: '#e0662f', width: 2, dash: [6, 3] },
]

let history
const plots = []

function dataOf({ lines, log }) {
  const line = name =>
    log ? history[name].map(value => (value > 0 ? value : null)) : history[name]
  return [history.elapsed, ...Object.keys(lines).map(line)]
}

function createCharts() {
  const ink = axisColours()
  // All boxes first: the grid's columns, and so the charts' widths, depend on their number.
  const boxes = CHARTS.map(({ title }) => {
    const box = document.createElement('div')
    box.className = 'chart'
    const heading = document.createElement('h2')
    heading.textContent = title
    box.append(heading)
    return box
  })
  element('charts').append(...boxes)
  for (const [i, chart] of CHARTS.entries()) {
    const options = chartOptions(chart, boxes[i].clientWidth, ink)
    plots.push({ chart, box: boxes[i], plot: new uPlot(options, dataOf(chart), boxes[i]) })
  }
}

const clockTime = seconds => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false })

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
    height: 150,
    cursor,
    hooks: { draw: [drawMarks] },
    scales: { x: { time: false }, y: log ? { distr: 3 } : { range: range ?? fromZero } },
    axes: [
      { ...ink, size: 32, space: 80, values: (_, ticks) => ticks.map(dayTime) },
      {
        ...ink,
        ...(incrs && { incrs }),
        size: 72,
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

/** A line through each chart where something was marked, with its words where there is room for them. */
function drawMarks({ ctx, bbox, data: [times], valToPos }) {
  ctx.save()
  ctx.strokeStyle = ctx.fillStyle = getComputedStyle(element('process')).color
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
  ctx.textAlign = 'left'
  ctx.textBaseline = 'alphabetic'
  ctx.setLineDash([2, 3])
  let free = -Infinity
  for (const { elapsed, text } of marks) {
    const point = times.findIndex(seconds => seconds * 1000 >= elapsed)
    if (point <= 0) continue
    const x = valToPos(times[point], 'x', true)
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    const width = ctx.measureText(text).width + 4
    if (x < free || x + width > bbox.left + bbox.width) continue
    ctx.fillText(text, x + 4, bbox.top + 11 * devicePixelRatio)
    free = x + width
  }
  ctx.restore()
}

function showMarks() {
  const rows = marks.toReversed().slice(0, 10)
  fill(
    'marks',
    ['event', ['time', 'text']],
    rows.map(({ time, text }) => [text, [clockTime(time / 1000), 'text']]),
  )
}

function axisColours() {
  const { color } = getComputedStyle(element('process'))
  const grid = {
    stroke: getComputedStyle(element('alerts').closest('section')).borderTopColor,
    width: 1,
  }
  return { stroke: color, grid, ticks: grid }
}

function drawCharts() {
  if (plots.length === 0) createCharts()
  else for (const { chart, plot } of plots) plot.setData(dataOf(chart))
  for (const { chart, box, plot } of plots) {
    const subject = chart.subject && history[chart.subject].at(-1)
    if (subject) box.firstChild.textContent = `${chart.title}: ${subject} (log scale)`
    const [, ...lines] = plot.data
    box.classList.toggle('empty', !lines.some(line => line.some(Number.isFinite)))
  }
}

addEventListener('resize', () => {
  for (const { box, plot } of plots)
    plot.setSize({ width: Math.max(200, box.clientWidth - 26), height: 150 })
})

// --- the stream ----------------------------------------------------------------------------------------------------

let received = 0
let marks = []

function show(frame) {
  received = performance.now()
  const { pid, node, uptime, rss, heapUsed, utilization, delayP99 } = frame.process
  const verdict = element('verdict')
  verdict.textContent = frame.verdict.text
  verdict.className = frame.verdict.level
  element('process').textContent =
    `process ${pid}, Node ${node}, up ${milliseconds(uptime * 1000)}, resident ${bytes(rss)}, heap ${bytes(heapUsed)}, ` +
    `loop busy ${percent(utilization)}, p99 delay ${milliseconds(delayP99)}`
  showParts(frame)
  showTimings(frame)
  previous = frame
}

function append({ point }) {
  for (const [line, values] of Object.entries(history)) {
    values.push(point[line])
    if (values.length > HISTORY) values.shift()
  }
}

const events = new EventSource('events')
events.addEventListener('snapshot', ({ data }) => {
  const snapshot = JSON.parse(data)
  history = snapshot.history
  marks = snapshot.marks
  showMarks()
  show(snapshot.frame)
  drawCharts()
})
events.addEventListener('mark', ({ data }) => {
  marks.push(JSON.parse(data))
  showMarks()
})
events.addEventListener('frame', ({ data }) => {
  const frame = JSON.parse(data)
  append(frame)
  show(frame)
  drawCharts()
})

setInterval(() => {
  const age = (performance.now() - received) / 1000
  element('age').textContent = received === 0 || age < 3 ? '' : `no data for ${Math.round(age)} s`
}, 1000)
