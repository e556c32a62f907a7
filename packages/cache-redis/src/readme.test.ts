import { describeRedis, testReadme } from '@millrace/testkit/vitest'

describeRedis('cache-redis', redis => {
  testReadme(new URL('../README.md', import.meta.url), {
    env: () => ({ REDIS_URL: redis.server.url }),
  })
})
