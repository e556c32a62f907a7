import type { PackageNode } from '../analyse/import-graph.ts'
import { duration } from '../report/render-report.ts'
import type { Report } from '../report/report.ts'

const listedPackages = 24

/** The front page of a run: how it went, why, and where to look further. Works without a script. */
export function indexPage(report: Report, packages: Iterable<PackageNode>): string {
  const largest = [...packages]
    .filter(({ name }) => !name.startsWith('('))
    .sort((a, b) => b.files - a.files)
    .slice(0, listedPackages)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Millrace demo</title>
<style>${style}</style>
<main>
<h1>Millrace demo</h1>
<p class="where">${escaped(report.directory)}</p>
<ul class="tiles">${tiles(report)}</ul>
<h2>Why it took ${duration(report.total)}</h2>
${report.reasons.map(reason => `<p>${escaped(reason)}</p>`).join('\n')}
<h2>Look further</h2>
<dl>
<dt><a href="/dashboard/">/dashboard/</a></dt><dd>caches, limiter, pool and runtime, live; a few look-ups per second are the demo's own, so that something moves</dd>
<dt><a href="/report">/report</a></dt><dd>what the terminal showed; as JSON where that is accepted</dd>
<dt><a href="/metrics">/metrics</a></dt><dd>for Prometheus</dd>
<dt><a href="/graph">/graph</a></dt><dd>which package imports which, as JSON</dd>
</dl>
<h2>Packages</h2>
<p>The ${largest.length} with the most files of ${packageCount(report)}: what is installed, what it imports, and what the registry says.</p>
<ul class="packages">${largest.map(packageLink).join('')}</ul>
<h2>Slowest trace</h2>
<pre>${report.slowest.map(escaped).join('\n')}</pre>
</main>
</html>
`
}

function tiles({ temperature, total, sources, caches, connections }: Report): string {
  const hits = caches.reduce((sum, cache) => sum + cache.hits, 0)
  const lookups = caches.reduce((sum, cache) => sum + cache.hits + cache.misses, 0)
  return [
    [temperature, `run of ${duration(total)}`],
    [
      sources.files.toLocaleString('en-US'),
      `files, ${sources.parsed.toLocaleString('en-US')} parsed`,
    ],
    [lookups === 0 ? '-' : `${((100 * hits) / lookups).toFixed(0)} %`, 'of look-ups hit a cache'],
    [
      connections.requests.toLocaleString('en-US'),
      `requests over ${connections.opened} connections`,
    ],
  ]
    .map(([figure, meaning]) => `<li><b>${figure}</b> ${meaning}</li>`)
    .join('')
}

const packageCount = ({ packages }: Report): string => packages.met.toLocaleString('en-US')

function packageLink({ name, files }: PackageNode): string {
  return `<li><a href="/packages/${encodeURIComponent(name)}">${escaped(name)}</a> ${files}</li>`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

/** Names come from the analysed tree, which others wrote. */
const escaped = (text: string): string => text.replace(/[&<>"]/g, found => entities[found]!)

const style = `
:root { color-scheme: light dark; --quiet: light-dark(#5b6673, #98a3b0); --line: light-dark(#dfe4ea, #2b333d) }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; background: light-dark(#fbfcfd, #12161b) }
main { max-width: 60rem; margin: 2.5rem auto; padding: 0 1.25rem }
h1 { margin: 0; font-size: 1.6rem }
h2 { margin: 2rem 0 .5rem; font-size: 1.05rem }
p { margin: .25rem 0 }
a { color: light-dark(#0b62c4, #6db3ff) }
.where, dd, .packages li, .tiles li { color: var(--quiet) }
.tiles, .packages { display: grid; gap: .75rem; padding: 0; list-style: none }
.tiles { grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)) }
.tiles li { padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem }
.tiles b { display: block; font-size: 1.5rem; color: light-dark(#12161b, #e8edf2) }
.packages { grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .25rem 1rem; overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0 }
dd { margin: 0 }
pre { overflow-x: auto; font: 13px/1.4 ui-monospace, monospace }
`
