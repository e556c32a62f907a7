import { describeRedis, testReadme } from '@millrace/testkit/vitest'

describeRedis('rate-limit', redis => {
  testReadme(new URL('../README.md', import.meta.url), {
    env: () => ({ REDIS_URL: redis.server.url }),
  })
})
