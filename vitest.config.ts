import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { alone, isolated, otherRealm, testProjects, unitTests } from './vitest.shared.ts'

/** Tests that need no more than Node and a Redis binary. */
export default defineConfig({
  test: {
    projects: [
      ...testProjects(unitTests),
      ...testProjects({ ...unitTests, ...isolated }, undefined, ' isolated'),
      ...testProjects({ ...unitTests, ...otherRealm }, ['integration'], ' in another realm'),
      ...testProjects(
        { ...unitTests, ...alone, include: ['src/**/*.realtime.test.ts'], exclude: [] },
        undefined,
        ' in real time',
      ),
    ],
    // Many tests wait for servers: two workers per core halve the time of a run (74 s against 143 s on 2 cores).
    maxWorkers: 2 * availableParallelism(),
    reporters: ['default', './scripts/no-silent-skips.ts'],
  },
})
