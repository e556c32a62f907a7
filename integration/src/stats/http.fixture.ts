import { HttpPool } from '@millrace/http-pool'
import type { UpstreamServer } from '@millrace/testkit'
import type { Subject } from './walk.fixture.ts'

export function httpSubjects(upstream: UpstreamServer): Record<string, Subject> {
  const pool = new HttpPool()
  const get = async (path: string): Promise<void> => {
    const response = await pool.request(upstream.url(path))
    await response.body.dump()
  }
  let pending: Promise<unknown> = Promise.resolve()
  return {
    HttpPool: {
      source: pool,
      steps: [
        () => get('/'),
        () => {
          pending = Promise.all([get('/'), get('/'), get('/')])
        },
        () => pending,
        () => pool.request('http://127.0.0.1:1/').catch(() => undefined),
        () => pool.close(),
      ],
    },
  }
}
