import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild({
  index: 'src/index.ts',
  adaptive: 'src/adaptive.ts',
  express: 'src/express.ts',
  fastify: 'src/fastify.ts',
  hono: 'src/hono.ts',
  http: 'src/http.ts',
  jobs: 'src/jobs.ts',
  koa: 'src/koa.ts',
  redis: 'src/redis.ts',
})
