import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild({ index: 'src/index.ts' })
