import { defineConfig, millraceBuild } from '../../tsup.shared.ts'

const config: ReturnType<typeof defineConfig> = defineConfig(
  millraceBuild({
    index: 'src/index.ts',
    otlp: 'src/otlp.ts',
    workers: 'src/workers.ts',
    collect: 'src/collect.ts',
    guard: 'src/guard.ts',
    report: 'src/report.ts',
    'compare-cli': 'src/compare-cli.ts',
  }),
)
export default config
