import { describe, expect, it } from 'vitest'
import { grafanaDashboard } from '../grafana.ts'
import { Registry } from '../index.ts'

function sample(): Registry {
  const metrics = new Registry()
  metrics.counter('http_requests_total', { labels: ['method', 'status'], help: 'Requests' })
  metrics.timing('http_request_seconds', { labels: ['route'] })
  metrics.gauge('db_pool_open', { aggregate: 'max' })
  metrics.counter('process_cpu_seconds_total')
  return metrics
}

interface Panels {
  panels: {
    id: number
    type: string
    title: string
    description: string
    gridPos: { x: number; y: number; w: number; h: number }
    fieldConfig?: { defaults: { unit: string } }
    targets?: { expr: string; legendFormat: string }[]
  }[]
}

describe('the Grafana dashboard', () => {
  it.each(['', 'a b', 'é', 'x'.repeat(41), '../x'])(
    'refuses an identifier that Grafana does: %j',
    uid => {
      expect(() => grafanaDashboard(sample(), { uid })).toThrow('Expected `uid` to be')
    },
  )

  it('has a panel with the right queries and unit for every metric', () => {
    const { panels } = grafanaDashboard(sample(), { matchers: 'job="shop"' }) as Panels
    const of = (metric: string) => panels.find(panel => panel.description === metric)!
    expect(of('http_requests_total')).toMatchObject({
      title: 'Requests',
      fieldConfig: { defaults: { unit: 'cps' } },
      targets: [
        {
          expr: 'sum by (method, status) (rate(http_requests_total{job="shop"}[$__rate_interval]))',
          legendFormat: '{{method}} {{status}}',
        },
      ],
    })
    expect(of('http_request_seconds').fieldConfig!.defaults.unit).toBe('s')
    expect(of('http_request_seconds').targets!.map(target => target.expr)).toEqual(
      [0.5, 0.95, 0.99].map(
        q =>
          `histogram_quantile(${q}, sum by (le, route) (rate(http_request_seconds_bucket{job="shop"}[$__rate_interval])))`,
      ),
    )
    expect(of('db_pool_open').targets![0]!.expr).toBe('max (db_pool_open{job="shop"})')
    expect(of('process_cpu_seconds_total').fieldConfig!.defaults.unit).toBe('percentunit')
  })

  it('lays its panels out without overlap, each with its own id', () => {
    const { panels } = grafanaDashboard(sample()) as Panels
    expect(new Set(panels.map(panel => panel.id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const { gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          const cell = `${x},${y}`
          expect(taken.has(cell), cell).toBe(false)
          expect(x).toBeLessThan(24)
          taken.add(cell)
        }
      }
    }
  })
})
