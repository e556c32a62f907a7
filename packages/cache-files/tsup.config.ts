import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild({ index: 'src/index.ts', 'watch-worker': 'src/watch/watch-worker.ts' })
