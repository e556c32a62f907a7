/* The live page: no framework, no markup from data, nothing from another origin. */

import { append, clockTime, drawCharts, element, marks, restart } from './charts.js'
import { bytes, digits, milliseconds, percent } from './format.js'

// --- tables --------------------------------------------------------------------------------------------------------

/**
 * Fills a table; its section is hidden while there are no rows, unless it is a log. Cells are text, nodes, or either with a class. Where a
 * row has one cell more than the head, that is below the others. On a narrow screen every cell carries the head of its column instead of standing below it.
 */
function fill(id, head, rows) {
  const table = element(id)
  const section = table.closest('section')
  section.hidden = rows.length === 0 && section.className !== 'log'
  const names = head.map(cell => (Array.isArray(cell) ? cell[0] : cell))
  const row = (cells, tag) => {
    const tr = document.createElement('tr')
    for (const [column, cell] of cells.entries()) {
      const td = document.createElement(tag)
      if (tag === 'th') td.scope = 'col'
      else td.dataset.head = names[column] ?? ''
      const [content, className = ''] = Array.isArray(cell) ? cell : [cell]
      td.className = className
      td.append(content)
      tr.append(td)
    }
    return tr
  }
  table.replaceChildren(
    row(head, 'th'),
    ...rows.flatMap(cells => {
      if (cells.length <= head.length) return [row(cells, 'td')]
      const below = row(cells.slice(head.length), 'td')
      below.className = 'below'
      below.firstChild.colSpan = head.length
      return [row(cells.slice(0, head.length), 'td'), below]
    }),
  )
}

/** Numbers with their names, each at a place of its own whatever the others are. */
function numbers({ values }, left = () => true) {
  const list = document.createElement('ul')
  list.className = 'numbers'
  for (const [field, value] of Object.entries(values)) {
    if (field.includes('.') || !left(field)) continue
    const item = document.createElement('li')
    const name = document.createElement('span')
    name.textContent = name.title = field
    item.append(name, ` ${digits(value)}`)
    if (value === 0) item.className = 'zero'
    list.append(item)
  }
  return list
}

/** Text that is given the same lines whatever it says; all of it is its title. */
function lines(text) {
  const box = document.createElement('div')
  box.className = 'lines'
  box.textContent = box.title = text
  return box
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
  fill(
    'pools',
    ['pool', ...POOL_COLUMNS.values()],
    kind('pool').map(part => [
      part.name,
      ...['open', 'idle', 'pending', 'queued'].map(field => digits(part.values[field])),
      ...['requests', 'retries', 'failures'].map(field => digits(rate(frame, part, field))),
      BREAKER[part.values.breaker] ?? '–',
      numbers(part, field => !POOL_COLUMNS.has(field)),
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
      [lines(alert.text), 'text'],
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

/** In a box that keeps its height: events come at any time. */
function showMarks() {
  fill(
    'marks',
    ['event', 'time'],
    marks.toReversed().map(({ time, text }) => [text, clockTime(time / 1000)]),
  )
}

/** What has had its room keeps it, where rows go or names take fewer lines: nothing below moves. */
function keepHeights() {
  const sections = [...document.querySelectorAll('main > section:not([hidden]):has(> table)')]
  const heights = sections.map(each => each.offsetHeight)
  for (const [i, each] of sections.entries()) each.style.minHeight = `${heights[i]}px`
}

addEventListener('resize', () => {
  for (const each of document.querySelectorAll('main > section')) each.style.minHeight = ''
})

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
  keepHeights()
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
