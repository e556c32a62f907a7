export type { ReadmeOptions } from './readme/test-readme.ts'
export { testReadme } from './readme/test-readme.ts'
export type { RedisFixture } from './redis/describe-redis.ts'
export { describeRedis } from './redis/describe-redis.ts'
