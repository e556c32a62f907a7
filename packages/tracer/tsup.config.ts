import { millraceBuild } from '../../tsup.shared.ts'

const config: ReturnType<typeof millraceBuild> = millraceBuild({
  index: 'src/index.ts',
  otlp: 'src/otlp.ts',
  otel: 'src/otel.ts',
  auto: 'src/auto.ts',
  environment: 'src/environment.ts',
})

export default config
