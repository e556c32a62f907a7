import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { isolated, published, testProjects, unitTests } from './vitest.shared.ts'

/**
 * What takes longest and does not depend on the version of Node: several processes on one store, what Redis does with scripts, whole
 * Clusters, and simulations of policies, rules and races on a virtual clock.
 */
const longest = [
  'src/**/shared-{files,store}.test.ts',
  'src/{store/{cluster,loss},redis/testing/{outage,mixed-settings,redis-cluster}}.test.ts',
  'src/{jobs/job-scheduler,retry/retries}.test.ts',
  'src/guard/{leak,regression,compare-snapshots}.test.ts',
  'src/policy/adaptive.test.ts',
  'src/**/invalidate-during-*.test.ts',
  'src/simulation/*.test.ts',
]

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
          exclude: [...unitTests.exclude, ...longest, 'src/readme.test.ts'],
        },
        published,
      ),
      ...testProjects({ ...unitTests, ...isolated }, published, ' isolated'),
    ],
    maxWorkers: 2 * availableParallelism(),
    reporters: ['default', './scripts/no-silent-skips.ts'],
  },
})
