import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import type { Exporter } from '../export/exporter.ts'
import { Tracer } from '../tracer/tracer.ts'

/** An exporter whose every call is one that the program traces, as a client of its own would be. */
class TracedExporter implements Exporter {
  tracer!: Tracer
  readonly written: string[] = []
  readonly calls = new Set<string>()
  activeSpans = 0

  write({ name }: { name: string }): void {
    this.written.push(name)
    this.#call('write')
  }

  send(): void {
    this.#call('send')
  }

  async flush(): Promise<void> {
    this.#call('flush')
    await new Promise(resolve => setImmediate(resolve))
    this.#call('flush, later')
  }

  async close(): Promise<void> {
    this.#call('close')
  }

  closeSync(): void {
    this.#call('closeSync')
  }

  stats(): ReturnType<Exporter['stats']> {
    return { exported: this.written.length, dropped: 0, queued: 0, queuedBytes: 0 }
  }

  #call(name: string): void {
    this.calls.add(name)
    if (this.tracer.activeSpan()?.isRecording() === true) this.activeSpans++
    this.tracer.startSpan(name).end()
    this.tracer.span(name, () => this.tracer.traced(() => {}, { name, sync: true })())
  }
}

test('what an exporter calls makes no spans, in no flow, so that it never exports for its own sake', async () => {
  const clock = new VirtualClock(1_000_000)
  const exporter = new TracedExporter()
  const tracer = new Tracer({ exporter, clock, signals: [], batchSize: 4 })
  exporter.tracer = tracer
  // Enough to be handed on within the end of a span.
  tracer.span('request', () => {
    for (let i = 0; i < 50; i++) tracer.startSpan('work').end()
  })
  clock.advance(60_000)
  await tracer.flush()
  tracer.flushSync()
  await tracer.close()
  const names = ['write', 'send', 'flush', 'flush, later', 'close', 'closeSync']
  expect([...exporter.calls].sort()).toEqual(names.sort())
  expect(exporter.written.filter(name => name === 'work')).toHaveLength(50)
  expect(exporter.written).toHaveLength(51)
  expect(exporter.activeSpans).toBe(0)
  expect(tracer.stats()).toMatchObject({ ended: 51, exported: 51 })
})

test('what runs after an exporter in the same flow is traced', () => {
  const exporter = new TracedExporter()
  const tracer = new Tracer({ exporter, signals: [], batchSize: 1 })
  exporter.tracer = tracer
  tracer.span('outer', span => {
    for (let i = 0; i < 10; i++) tracer.startSpan('inner').end()
    expect(tracer.activeSpan()).toBe(span)
  })
  tracer.flushSync()
  expect(exporter.written).toHaveLength(11)
})
