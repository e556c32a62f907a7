import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild({
  index: 'src/index.ts',
  otlp: 'src/otlp.ts',
  otel: 'src/otel.ts',
  auto: 'src/auto.ts',
  environment: 'src/environment.ts',
})
