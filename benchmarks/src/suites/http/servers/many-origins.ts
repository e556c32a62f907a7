import { UpstreamServer } from '@millrace/testkit'
import type { Fixture } from '../../../define.ts'

/** Six servers that answer after 2 ms. */
export async function startManyOrigins(): Promise<Fixture> {
  const servers = await Promise.all(Array.from({ length: 6 }, () => UpstreamServer.start()))
  for (const server of servers) server.on('*', { body: 'ok', latency: 2 })
  return {
    value: servers.map(server => server.url('/')),
    close: async () => {
      await Promise.all(servers.map(server => server.kill()))
    },
  }
}
