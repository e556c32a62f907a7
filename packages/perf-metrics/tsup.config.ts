import { cpSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Options } from 'tsup'
import { millraceBuild } from '../../tsup.shared.ts'

const subpaths = {
  otlp: 'src/otlp.ts',
  workers: 'src/workers.ts',
  collect: 'src/collect.ts',
  guard: 'src/guard.ts',
  report: 'src/report.ts',
  dashboard: 'src/dashboard.ts',
  grafana: 'src/grafana.ts',
  'compare-cli': 'src/compare-cli.ts',
}

const exactly = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)

/**
 * Lets every entry reach all that the main entry does. The bundler then has one chunk for it instead of one for each set
 * of entries that share a module: an import loads 2 files instead of 11, in half the time.
 */
const mainInOnePiece: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'millrace:main-in-one-piece',
  setup(build) {
    const main = fileURLToPath(new URL('src/index.ts', import.meta.url))
    build.onResolve({ filter: /^millrace:main$/ }, () => ({ path: main, sideEffects: true }))
    for (const entry of Object.values(subpaths)) {
      const file = fileURLToPath(new URL(entry, import.meta.url))
      build.onLoad({ filter: exactly(file) }, () => ({
        contents: `${readFileSync(file, 'utf8')}\nimport 'millrace:main'\n`,
        loader: 'ts',
      }))
    }
  },
}

export default millraceBuild(
  { index: 'src/index.ts', ...subpaths },
  {
    esbuildPlugins: [mainInOnePiece],
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
