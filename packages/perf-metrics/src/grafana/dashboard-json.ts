import { checkMethods, checkOptions, checkText, type OptionNames } from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import { promName } from '../guard/prometheus/promql.ts'
import type { Family } from '../instrument/family.ts'
import type { FamilyDescription } from '../metric/family-description.ts'
import { legacyLabel, legacyName } from '../metric/name.ts'
import type { Registry } from '../registry/registry.ts'

export interface GrafanaOptions {
  /** Default: `Millrace` */
  readonly title?: string | undefined
  /** Identifier that stays the same from one version of the dashboard to the next: up to 40 letters, digits, `_` and `-`. Default: made from the title. */
  readonly uid?: string | undefined
  /** Label matchers on every query, in PromQL: `job="shop"`. Default: the variable `$job`. */
  readonly matchers?: string | undefined
}

interface Panel {
  id: number
  type: 'timeseries' | 'row' | 'stat'
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  [key: string]: unknown
}

const WIDTH = 24
const PANEL_WIDTH = 8
const PANEL_HEIGHT = 8

const UNITS: Readonly<Record<string, string>> = {
  seconds: 's',
  bytes: 'bytes',
  ratio: 'percentunit',
  celsius: 'celsius',
}

const OPTIONS: OptionNames<GrafanaOptions> = { title: true, uid: true, matchers: true }

/**
 * A Grafana dashboard with a panel for every metric of a registry: rates of counters, quantiles of histograms, values of
 * gauges, in their units and by their labels. Import it, or provision it as a file; it asks for its data source.
 */
export function grafanaDashboard(metrics: Registry, options: GrafanaOptions = {}): object {
  checkMethods('registry', metrics, 'a Registry', ['collect'])
  checkOptions('', options, OPTIONS)
  for (const [name, value] of Object.entries(options)) {
    // No matchers at all are an empty text.
    if (value === undefined || (name === 'matchers' && value === '')) continue
    checkText(name, value)
  }
  if (options.uid !== undefined && !/^[\w-]{1,40}$/.test(options.uid)) {
    throw new InvalidOptionError('uid', 'up to 40 letters, digits, _ and -', options.uid)
  }
  const { title = 'Millrace', matchers = 'job=~"$job"' } = options
  const uid =
    options.uid ??
    title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 40)
  return {
    uid,
    title,
    tags: ['millrace'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    time: { from: 'now-1h', to: 'now' },
    refresh: '30s',
    templating: { list: variables(options.matchers === undefined) },
    annotations: { list: [] },
    panels: layOut(metrics.collect(), matchers),
  }
}

function variables(withJob: boolean): object[] {
  const source = {
    name: 'datasource',
    type: 'datasource',
    query: 'prometheus',
    label: 'Data source',
  }
  const job = {
    name: 'job',
    type: 'query',
    label: 'Job',
    datasource: DATA_SOURCE,
    query: { query: 'label_values(up, job)', refId: 'job' },
    refresh: 2,
    multi: true,
    includeAll: true,
  }
  return withJob ? [source, job] : [source]
}

/** The data source that the reader chose. */
const DATA_SOURCE = { type: 'prometheus', uid: '$datasource' }

/** One row per first word of the names, panels three abreast. */
function layOut(families: readonly Family[], matchers: string): Panel[] {
  const groups = new Map<string, Family[]>()
  for (const family of families) {
    const [group = ''] = family.description.name.split(/[_.:]/)
    const members = groups.get(group)
    if (members === undefined) groups.set(group, [family])
    else members.push(family)
  }
  const panels: Panel[] = []
  let y = 0
  for (const [group, members] of groups) {
    const gridPos = { x: 0, y: y++, w: WIDTH, h: 1 }
    panels.push({ id: panels.length + 1, type: 'row', title: group, gridPos, collapsed: false })
    members.forEach((family, i) => {
      const x = (i * PANEL_WIDTH) % WIDTH
      if (i > 0 && x === 0) y += PANEL_HEIGHT
      const position = { x, y, w: PANEL_WIDTH, h: PANEL_HEIGHT }
      panels.push(panel(panels.length + 1, family.description, position, matchers))
    })
    y += PANEL_HEIGHT
  }
  return panels
}

function panel(
  id: number,
  description: FamilyDescription,
  gridPos: Panel['gridPos'],
  matchers: string,
): Panel {
  const { name, type, help, unit, aggregate } = description
  const labels = description.labelNames.map(legacyLabel)
  const by = labels.length === 0 ? '' : ` by (${labels.join(', ')})`
  const legend = labels.map(label => `{{${label}}}`).join(' ') || '__auto'
  const shown = promName(name, type)
  const range = '$__rate_interval'
  let queries: { expr: string; legendFormat: string }[]
  let panelUnit = UNITS[unit] ?? 'short'
  switch (type) {
    case 'counter':
      queries = [{ expr: `sum${by} (rate(${shown}{${matchers}}[${range}]))`, legendFormat: legend }]
      // A count per second has a unit of its own, unless seconds are counted: those are a share of a core.
      panelUnit = unit === 'seconds' ? 'percentunit' : unit === 'bytes' ? 'Bps' : 'cps'
      break
    case 'histogram': {
      const buckets = `${legacyName(name)}_bucket{${matchers}}`
      queries = [0.5, 0.95, 0.99].map(q => ({
        expr: `histogram_quantile(${q}, sum by (le${labels.map(l => `, ${l}`).join('')}) (rate(${buckets}[${range}])))`,
        legendFormat: `p${q * 100} ${labels.length === 0 ? '' : legend}`.trim(),
      }))
      break
    }
    default:
      queries = [
        {
          expr: `${aggregate === 'last' ? 'max' : aggregate}${by} (${shown}{${matchers}})`,
          legendFormat: legend,
        },
      ]
  }
  return {
    id,
    type: 'timeseries',
    title: help,
    description: shown,
    gridPos,
    datasource: DATA_SOURCE,
    fieldConfig: {
      defaults: { unit: panelUnit, min: 0, custom: { fillOpacity: 8, showPoints: 'never' } },
      overrides: [],
    },
    options: { tooltip: { mode: 'multi', sort: 'desc' }, legend: { showLegend: true } },
    targets: queries.map((query, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: DATA_SOURCE,
      ...query,
    })),
  }
}
