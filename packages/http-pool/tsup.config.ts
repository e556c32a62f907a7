import { defineConfig, millraceBuild } from '../../tsup.shared.ts'

const config: ReturnType<typeof defineConfig> = defineConfig(
  millraceBuild({ index: 'src/index.ts' }),
)
export default config
