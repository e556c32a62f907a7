import { defineConfig } from 'vitest/config'
import { testProjects } from './vitest.shared.ts'

/** Tests against real peers (Prometheus, Chromium, nginx, haproxy): `npm run test:interop` installs those first. */
export default defineConfig({
  test: {
    projects: testProjects({
      include: ['src/**/*.interop.test.ts'],
      testTimeout: 120_000,
      hookTimeout: 120_000,
    }),
    // Most of their time passes in other programs.
    maxWorkers: 2,
    passWithNoTests: true,
    reporters: ['default', './scripts/no-silent-skips.ts'],
  },
})
