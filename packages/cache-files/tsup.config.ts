import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild({
  index: 'src/index.ts',
  // Threads, started by URL: they are no entries for users.
  'parse-worker': 'src/parse/parse-worker.ts',
  'watch-worker': 'src/watch/watch-worker.ts',
})
