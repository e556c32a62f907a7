import { defineConfig } from 'vitest/config'
import { alone, testProjects } from './vitest.shared.ts'

const limits = { testTimeout: 120_000, hookTimeout: 120_000 }

/** Tests against real peers (Prometheus, Chromium, nginx, haproxy): `npm run test:interop` installs those first. */
export default defineConfig({
  test: {
    projects: [
      ...testProjects({
        ...limits,
        include: ['src/**/*.interop.test.ts'],
        exclude: ['src/**/*.realtime.interop.test.ts'],
      }),
      ...testProjects(
        { ...limits, ...alone, include: ['src/**/*.realtime.interop.test.ts'] },
        undefined,
        ' in real time',
      ),
    ],
    // Most of their time passes in other programs, or waiting for them.
    maxWorkers: 3,
    passWithNoTests: true,
    reporters: ['default', './scripts/no-silent-skips.ts'],
  },
})
