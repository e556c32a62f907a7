import { cpSync } from 'node:fs'
import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild(
  {
    index: 'src/index.ts',
    otlp: 'src/otlp.ts',
    workers: 'src/workers.ts',
    collect: 'src/collect.ts',
    guard: 'src/guard.ts',
    report: 'src/report.ts',
    dashboard: 'src/dashboard.ts',
    grafana: 'src/grafana.ts',
    'compare-cli': 'src/compare-cli.ts',
  },
  {
    // The dashboard's page, with uPlot beside it: nothing is bundled or fetched at run time.
    async onSuccess() {
      cpSync('src/dashboard/page', 'dist/page', { recursive: true })
      for (const file of ['uPlot.iife.min.js', 'uPlot.min.css']) {
        cpSync(`node_modules/uplot/dist/${file}`, `dist/page/${file}`)
      }
      cpSync('node_modules/uplot/LICENSE', 'dist/page/uPlot.LICENSE')
    },
  },
)
