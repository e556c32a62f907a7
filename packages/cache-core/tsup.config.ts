import { defineConfig, millraceBuild } from '../../tsup.shared.ts'

const config: ReturnType<typeof defineConfig> = defineConfig(
  millraceBuild({
    index: 'src/index.ts',
    memory: 'src/memory.ts',
    fs: 'src/fs.ts',
    sqlite: 'src/sqlite.ts',
    store: 'src/store.ts',
    views: 'src/views.ts',
    tiered: 'src/tiered.ts',
  }),
)
export default config
