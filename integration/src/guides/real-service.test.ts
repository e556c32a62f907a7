import { testReadme } from '@millrace/testkit/vitest'

testReadme(new URL('../../../docs/real-service.md', import.meta.url), {
  package: new URL('../../', import.meta.url),
})
