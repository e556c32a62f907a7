import { millraceBuild } from '../../tsup.shared.ts'
import { internalNames } from './internal-names.ts'

const entries = {
  index: 'src/index.ts',
  memory: 'src/entries/memory.ts',
  fs: 'src/entries/fs.ts',
  sqlite: 'src/entries/sqlite.ts',
  store: 'src/entries/store.ts',
  views: 'src/entries/views.ts',
  tiered: 'src/entries/tiered.ts',
  insight: 'src/entries/insight.ts',
  policies: 'src/entries/policies.ts',
  size: 'src/entries/size.ts',
  snapshot: 'src/entries/snapshot.ts',
  ticker: 'src/entries/ticker.ts',
  'store-contract': 'src/entries/store-contract.ts',
  coherence: 'src/entries/coherence.ts',
  report: 'src/entries/report.ts',
  warm: 'src/entries/warm.ts',
  keyv: 'src/entries/keyv.ts',
  protect: 'src/entries/protect.ts',
}

export default millraceBuild(entries, {
  esbuildOptions(options) {
    options.mangleProps = new RegExp(`^(${internalNames.join('|')})$`)
  },
})
