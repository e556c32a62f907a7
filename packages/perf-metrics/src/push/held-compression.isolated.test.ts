import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, VirtualClock } from '@millrace/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { Registry } from '../index.ts'
import { OtlpMetricExporter } from '../otlp.ts'

/** More than Node has threads for files and compression. */
const THREADS = 64

/** Keeps all of them busy without any work: they wait for somebody to write to a pipe. Returns what lets them go. */
function holdThreads(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-held-'))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const readers = Array.from({ length: THREADS }, () => open(pipe, 'r'))
  return async () => {
    const writer = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
    for (const reader of readers) await (await reader).close()
    closeSync(writer)
    rmSync(folder, { recursive: true })
  }
}

test('an export ends with its timeout where nothing is left to compress it', async () => {
  const clock = new VirtualClock(0)
  const metrics = new Registry({ clock })
  metrics.counter('x_total').inc()
  const url = `http://127.0.0.1:${await freePort()}/v1/metrics`
  const exporter = new OtlpMetricExporter(metrics, { url, timeout: 5000 })
  const release = holdThreads()
  onTestFinished(release)
  const exported = exporter.export()
  const failed = expect(exported).rejects.toThrow('The export took longer than 5000 ms')
  await new Promise(resolve => setImmediate(resolve))
  clock.advance(5000)
  await failed
  const closed = exporter.close()
  clock.advance(5000)
  await closed
  expect(exporter.stats()).toMatchObject({ exports: 0, failures: 2, bytes: 0 })
})
