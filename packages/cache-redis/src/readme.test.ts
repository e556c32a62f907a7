import { describeRedis, testReadme } from '@millrace/testkit/vitest'
import { PATIENT, PATIENT_TIERS } from './testing/patience.fixture.ts'

/** What examples make, and what time they give Redis beside the options that they show. */
const patience: readonly [made: RegExp, options: object][] = [
  [/new Redis\w+(?:<.*?>)?\(\{/g, PATIENT],
  [/new TieredCache(?:<.*?>)?\(\{/g, PATIENT_TIERS],
]

describeRedis('cache-redis', redis => {
  testReadme(new URL('../README.md', import.meta.url), {
    env: () => ({ REDIS_URL: redis.server.url }),
    runnable: code =>
      patience.reduce(
        (patient, [made, options]) => patient.replace(made, `$& ...${JSON.stringify(options)},`),
        code,
      ),
  })
})
