import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild({
  index: 'src/index.ts',
  memory: 'src/memory.ts',
  fs: 'src/fs.ts',
  sqlite: 'src/sqlite.ts',
  store: 'src/store.ts',
  views: 'src/views.ts',
  tiered: 'src/tiered.ts',
  insight: 'src/insight.ts',
  policies: 'src/policies.ts',
  size: 'src/size.ts',
  snapshot: 'src/snapshot.ts',
  ticker: 'src/ticker.ts',
})
