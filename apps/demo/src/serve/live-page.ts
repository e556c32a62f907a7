import { readFileSync } from 'node:fs'
import type { Dashboard } from '@millrace/perf-metrics/dashboard'
import { counted } from '../report/counted.ts'
import { duration, renderNow } from '../report/render-report.ts'
import type { Report } from '../report/report.ts'
import { shownPath } from '../report/shown-path.ts'
import type { ScenarioState } from '../traffic/stage.ts'

const file = (name: string): string =>
  readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8')

/** Files of the page beside the dashboard's, by path. */
export const pageFiles: ReadonlyMap<string, { readonly type: string; readonly body: string }> =
  new Map([
    ['/demo.js', { type: 'text/javascript', body: file('demo.js') }],
    ['/demo.css', { type: 'text/css', body: file('demo.css') }],
  ])

/** The dashboard's page with the demo's own parts in it. */
export async function livePage(
  dashboard: Dashboard,
  report: Report,
  scenarios: readonly ScenarioState[],
): Promise<{ readonly headers: Headers; readonly body: string }> {
  const page = await dashboard.fetch(new Request('http://localhost/'), {
    remoteAddress: '127.0.0.1',
  })
  const { headers } = page
  for (const name of ['etag', 'content-length', 'content-encoding']) headers.delete(name)
  const replacements: readonly (readonly [part: string, by: string])[] = [
    ['<title>Millrace metrics</title>', '<title>Millrace demo</title>'],
    ['<h1>Millrace</h1>', '<h1>Millrace demo</h1>'],
    [
      '</head>',
      '<link rel="stylesheet" href="demo.css">\n<script src="demo.js" defer></script>\n</head>',
    ],
    ['<main>', `<main>\n${above(report, scenarios)}`],
    ['</main>', `${file('parts.html')}</main>`],
  ]
  let body = await page.text()
  for (const [part, by] of replacements) {
    if (!body.includes(part)) throw new Error(`The dashboard's page has no ${part}`)
    body = body.replace(part, () => by)
  }
  return { headers, body }
}

function above(
  { directory, temperature, total, sources, packages: met, reasons, now }: Report,
  scenarios: readonly ScenarioState[],
): string {
  const files = counted(sources.files, 'file')
  const packages = counted(met.met, 'package')
  return `<section class="run"><h2>The run</h2>
<p><b>${escaped(shownPath(directory))}</b>: ${files}, ${packages}, a ${temperature} run of ${duration(total)}.
${reasons.map(escaped).join(' ')} <a href="report">Whole report</a>, <a href="metrics">/metrics</a>, <a href="grafana.json">dashboard for Grafana</a></p>
<p id="now">${now === undefined ? '' : escaped(renderNow(now))}</p></section>
<section><h2>Scenarios</h2>
<p>Press, and see what it does to the charts below. The look-ups on them are the demo's own load, made while this page is open.</p>
<ul id="scenarios">${scenarios.map(listItem).join('')}</ul></section>
`
}

const listItem = ({ name, title, effect, unavailable }: ScenarioState): string =>
  `<li><button type="button" id="${name}" aria-describedby="${name}-effect"${unavailable === undefined ? '' : ' disabled'}>${escaped(title)}</button><span id="${name}-effect">${escaped(unavailable ?? effect)}</span></li>`

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

/** Names come from the analysed tree, which others wrote. */
const escaped = (text: string): string => text.replace(/[&<>"]/g, found => entities[found]!)
