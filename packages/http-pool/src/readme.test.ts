import { testReadme } from '@millrace/testkit/vitest'

testReadme(new URL('../README.md', import.meta.url), {
  // For longer than a machine stands still.
  runnable: code => code.replaceAll('totalTimeout: 5_000', 'totalTimeout: 60_000'),
})
