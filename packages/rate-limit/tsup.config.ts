import { millraceBuild } from '../../tsup.shared.ts'

export default millraceBuild({
  index: 'src/index.ts',
  adaptive: 'src/adaptive.ts',
  fastify: 'src/fastify.ts',
  http: 'src/http.ts',
  jobs: 'src/jobs.ts',
  redis: 'src/redis.ts',
})
