import { testReadme } from '@millrace/testkit/vitest'

testReadme(new URL('../README.md', import.meta.url))
