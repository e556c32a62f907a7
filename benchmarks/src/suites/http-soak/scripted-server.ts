import { UpstreamServer } from '@millrace/testkit'

/** Answers by path: plainly, cacheably, at length, elsewhere, with errors, with resets, late. */
export async function scriptedServer(): Promise<UpstreamServer> {
  const server = await UpstreamServer.start()
  const body = { ok: true }
  server.on('/ok', { body })
  server.on('/cached', { body, cacheControl: 'max-age=1', etag: 'v' })
  server.on('/large', { body: Buffer.alloc(200_000) })
  server.on('/moved', { status: 302, headers: { location: '/ok' } })
  server.on('/flaky', ({ index }) => (index % 3 === 0 ? 503 : { body }))
  server.on('/reset', ({ index }) => (index % 2 === 0 ? { fault: 'reset' } : { body }))
  server.on('/slow', ({ index }) => ({ body, latency: index % 2 === 0 ? 200 : 1 }))
  return server
}
