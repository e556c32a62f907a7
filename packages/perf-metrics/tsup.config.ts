import { defineConfig, millraceBuild } from '../../tsup.shared.ts'

const config: ReturnType<typeof defineConfig> = defineConfig(
  millraceBuild({
    index: 'src/index.ts',
    otlp: 'src/otlp.ts',
    workers: 'src/workers.ts',
    collect: 'src/collect.ts',
  }),
)
export default config
