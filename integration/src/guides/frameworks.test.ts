import { testReadme } from '@millrace/testkit/vitest'

testReadme(new URL('../../../docs/frameworks.md', import.meta.url), {
  package: new URL('../../', import.meta.url),
})
