import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { DemoSandbox } from '../demo.fixture.ts'

interface Grafana {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[]
}

/** Names of series in an expression: what stands before a selector. */
const seriesOf = (expr: string): string[] =>
  [...expr.matchAll(/([a-z_:][\w:]*)\s*\{/gi)].map(([, name]) => name!)

test('a real Prometheus scrapes the demo, and the Grafana dashboard asks for nothing that it has not', async () => {
  await using sandbox = await DemoSandbox.create()
  const demo = sandbox.start(['app', '--port', '0'])
  const origin = (await demo.printed(/Serving on (http:\S+):/))[1]!
  const port = await freePort()
  const config = `scrape_configs:\n  - job_name: demo\n    scrape_interval: 1s\n    static_configs:\n      - targets: ['${new URL(origin).host}']\n`
  await writeFile(join(sandbox.folder, 'prometheus.yml'), config)
  const prometheus = spawn(
    'prometheus',
    [
      '--config.file=prometheus.yml',
      '--storage.tsdb.path=prometheus',
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { cwd: sandbox.folder, stdio: 'ignore' },
  )
  try {
    const api = `http://127.0.0.1:${port}/api/v1`
    const value = async () => {
      const answer = await fetch(`${api}/query?query=demo_facts_seconds_count`).catch(
        () => undefined,
      )
      if (answer?.ok !== true) return undefined
      const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
      return data.result[0]?.value[1]
    }
    await expect.poll(value, { timeout: 60_000 }).toBe('4')
    const answer = await fetch(`${api}/label/__name__/values`)
    const existing = new Set(((await answer.json()) as { data: string[] }).data)
    const { panels } = (await (await fetch(`${origin}/grafana.json`)).json()) as Grafana
    const asked = panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => seriesOf(expr)),
    )
    expect(asked.length).toBeGreaterThan(20)
    // Failures are series from the first one on.
    const absent = asked.filter(name => !existing.has(name) && !name.endsWith('_failures_total'))
    expect(absent).toEqual([])
  } finally {
    prometheus.kill()
    await once(prometheus, 'exit')
  }
})
