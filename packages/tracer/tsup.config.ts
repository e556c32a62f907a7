import { defineConfig, millraceBuild } from '../../tsup.shared.ts'

export default defineConfig(millraceBuild({ index: 'src/index.ts', otlp: 'src/otlp.ts' }))
