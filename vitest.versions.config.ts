import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { isolated, published, testProjects, unitTests } from './vitest.shared.ts'

/** What is said of several processes at once does not depend on the version of Node, and takes longest. */
const severalProcesses = ['src/**/shared-{files,store}.test.ts']

/**
 * Tests of what is published, for other Node versions than the one that develops it. READMEs are left out: their `using`
 * is for Node 24 or a compiler.
 */
export default defineConfig({
  test: {
    projects: [
      ...testProjects(
        {
          ...unitTests,
          exclude: [...unitTests.exclude, ...severalProcesses, 'src/readme.test.ts'],
        },
        published,
      ),
      ...testProjects({ ...unitTests, ...isolated }, published, ' isolated'),
    ],
    maxWorkers: 2 * availableParallelism(),
    reporters: ['default', './scripts/no-silent-skips.ts'],
  },
})
