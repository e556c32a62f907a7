import { millraceBuild } from '../../tsup.shared.ts'

const build: ReturnType<typeof millraceBuild> = millraceBuild({ index: 'src/index.ts' })

export default build
