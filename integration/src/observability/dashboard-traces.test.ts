import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Registry } from '@millrace/perf-metrics'
import { Dashboard } from '@millrace/perf-metrics/dashboard'
import { MemoryExporter, Tracer } from '@millrace/tracer'
import { expect, test } from 'vitest'

test('a dashboard shows the slow traces of a tracer, failed ones too, as text', async () => {
  const exporter = new MemoryExporter()
  await using tracer = new Tracer({ exporter, signals: [] })
  const name = '<img src=x onerror=alert(1)>'
  tracer.span('checkout', () => tracer.startSpan('inner').end())
  expect(() =>
    tracer.span(name, () => {
      throw new Error('secret')
    }),
  ).toThrow('secret')
  await tracer.flush()
  const registry = new Registry()
  using dashboard = new Dashboard({ registry, tracer })
  const server = createServer(dashboard.handler()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const answer = await fetch(`http://127.0.0.1:${port}/snapshot.json`)
    const text = await answer.text()
    const { slow } = JSON.parse(text).frame
    const byName = new Map(slow.map((span: { name: string }) => [span.name, span]))
    const [, root] = exporter.spans
    expect([...byName.keys()].sort()).toEqual([name, 'checkout'])
    expect(byName.get('checkout')).toMatchObject({ traceId: root!.traceId, error: false })
    expect(byName.get(name)).toMatchObject({ error: true, start: expect.any(Number) })
    expect(text).not.toContain('secret')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('a dashboard without a tracer, or with a disabled one, shows none', async () => {
  const registry = new Registry()
  for (const tracer of [undefined, new Tracer({ enabled: false })]) {
    using dashboard = new Dashboard({ registry, tracer })
    const answer = await dashboard.fetch(new Request('http://localhost/snapshot.json'), {
      remoteAddress: '127.0.0.1',
    })
    expect(((await answer.json()) as { frame: { slow: unknown[] } }).frame.slow).toEqual([])
  }
})
