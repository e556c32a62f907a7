import { testReadme } from '@millrace/testkit/vitest'
import { patientCode } from './patient-code.fixture.ts'

testReadme(new URL('../../../docs/frameworks.md', import.meta.url), {
  package: new URL('../../', import.meta.url),
  runnable: patientCode,
})
