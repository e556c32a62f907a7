import { defineConfig } from 'vitest/config'
import { projects, shared } from './vitest.shared.ts'

/** Tests that need no more than Node and a Redis binary. */
export default defineConfig({
  test: {
    projects: Object.entries(projects).map(([name, root]) => ({
      ...shared,
      root,
      test: {
        name,
        include: ['src/**/*.test.ts'],
        exclude: ['src/**/*.interop.test.ts'],
        execArgv: ['--expose-gc'],
        testTimeout: 30_000,
        hookTimeout: 60_000,
      },
    })),
    reporters: ['default', './scripts/no-silent-skips.ts'],
  },
})
