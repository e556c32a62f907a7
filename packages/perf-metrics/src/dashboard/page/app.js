/* The live page: no framework, no markup from data, nothing from another origin. */

import { append, clockTime, drawCharts, element, marks, restart } from './charts.js'
import { bytes, digits, milliseconds, percent } from './format.js'

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

/** Fields of pools that have a column. */
const POOL_COLUMNS = new Map([
  ['open', 'open'],
  ['idle', 'idle'],
  ['pending', 'pending'],
  ['queued', 'queued'],
  ['requests', 'requests/s'],
  ['retries', 'retries/s'],
  ['failures', 'failures/s'],
  ['breaker', 'breaker'],
])
/** What pools report of the breaker of an origin, as a number. */
const BREAKER = ['closed', ['half-open', 'pending'], ['open', 'tripped']]

function showParts(frame) {
  const kind = wanted => frame.parts.filter(part => part.kind === wanted)
  const caches = kind('cache')
  const bounded = caches.some(part => Number.isFinite(part.values.maxBytes))
  fill(
    'caches',
    [
      'cache',
      'hits, 10 s',
      'hits, all',
      'gets/s',
      'entries',
      'bytes',
      ...(bounded ? ['budget'] : []),
      'removals/s',
      'load failures',
    ],
    caches.map(part => {
      const { values } = part
      const hits = rate(frame, part, 'hits')
      const misses = rate(frame, part, 'misses')
      const removals = rate(frame, part, 'removals') ?? rate(frame, part, 'evictions')
      return [
        part.name,
        percent(part.recentHitRatio),
        percent(part.hitRatio),
        digits(hits === null ? null : hits + misses),
        digits(values.entries),
        values.bytes === undefined ? '–' : bytes(values.bytes),
        ...(bounded
          ? [Number.isFinite(values.maxBytes) ? bar(values.bytes, values.maxBytes) : '–']
          : []),
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
  const numbers = ({ values }, left = () => true) =>
    Object.entries(values)
      .filter(([field, value]) => !field.includes('.') && left(field, value))
      .map(([field, value]) => `${field} ${digits(value)}`)
      .join(', ')
  const others = (field, value) => !POOL_COLUMNS.has(field) && value !== 0
  fill(
    'pools',
    ['pool', ...POOL_COLUMNS.values(), ['others', 'text']],
    kind('pool').map(part => [
      part.name,
      ...['open', 'idle', 'pending', 'queued'].map(field => digits(part.values[field])),
      ...['requests', 'retries', 'failures'].map(field => digits(rate(frame, part, field))),
      BREAKER[part.values.breaker] ?? '–',
      [numbers(part, others), 'text'],
    ]),
  )
  fill(
    'others',
    ['part', ['numbers', 'text']],
    kind('other').map(part => [part.name, [numbers(part), 'text']]),
  )
}

function showTimings(frame) {
  fill(
    'timings',
    ['operation', 'calls/s', 'p50', 'p95', 'p99', 'calls', 'failures', 'failure rate'],
    frame.timings.map(timing => {
      // An empty label says nothing.
      const said = Object.entries(timing.labels).filter(([, value]) => value !== '')
      const labels = said.map(([name, value]) => `${name}=${value}`)
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

function showMarks() {
  const rows = marks.toReversed().slice(0, 10)
  fill(
    'marks',
    ['event', ['time', 'text']],
    rows.map(({ time, text }) => [text, [clockTime(time / 1000), 'text']]),
  )
}

// --- the stream ----------------------------------------------------------------------------------------------------

let received = 0

function show(frame) {
  received = performance.now()
  const { pid, node, uptime, rss, heapUsed, utilization, delayP99 } = frame.process
  const verdict = element('verdict')
  verdict.textContent = frame.verdict.text
  verdict.className = frame.verdict.level
  element('process').textContent =
    `process ${pid}, Node ${node}, up ${milliseconds(uptime * 1000)}, resident ${bytes(rss)}, heap ${bytes(heapUsed)}, ` +
    `loop busy ${percent(utilization)}${delayP99 === null ? '' : `, p99 delay ${milliseconds(delayP99)}`}`
  showParts(frame)
  showTimings(frame)
  previous = frame
}

const events = new EventSource('events')
events.addEventListener('snapshot', ({ data }) => {
  const snapshot = JSON.parse(data)
  restart(snapshot)
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
