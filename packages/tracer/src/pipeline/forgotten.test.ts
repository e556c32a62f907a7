import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { type FinishedSpan, MemoryExporter } from '../export/memory-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { TracerOptions } from '../tracer/tracer-options.ts'

/** Not used by other tests, so that its listeners are those of the tracers made here. */
const SIGNAL = 'SIGUSR2'

class SlowExporter extends MemoryExporter {
  queued = 0

  override write(...[span]: Parameters<MemoryExporter['write']>): void {
    super.write(span)
    this.queued++
  }

  override stats(): ReturnType<MemoryExporter['stats']> {
    return { ...super.stats(), queued: this.queued }
  }
}

/** Makes a tracer that ends spans, and forgets it. */
function forgotten(options: TracerOptions): WeakRef<Tracer> {
  const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [SIGNAL], ...options })
  tracer.span('outer', () => tracer.startSpan('inner').end())
  tracer.scoped({ name: 'library' }).startSpan('other').end()
  return new WeakRef(tracer)
}

async function collect(): Promise<void> {
  for (let pass = 0; pass < 5; pass++) {
    // What a reference was asked for is kept until the turn is over; listeners go in a turn of their own.
    await new Promise(resolve => setImmediate(resolve))
    globalThis.gc!()
  }
  await new Promise(resolve => setImmediate(resolve))
}

async function listenersLeft(): Promise<number> {
  await collect()
  return process.listenerCount(SIGNAL)
}

test.each([
  ['', {}],
  [' with a budget', { budget: 0.05 }],
  [' that keeps traces until their end', { tail: {} }],
  [' without a pool', { pool: 0, lazy: false }],
] as [string, TracerOptions][])('a tracer%s that nobody holds is collected', async (_, options) => {
  const clock = new VirtualClock(1_000_000)
  const made = Array.from({ length: 20 }, () => forgotten({ clock, ...options }))
  expect(process.listenerCount(SIGNAL)).toBe(1)
  clock.advance(10_000)
  const left = async () => {
    await collect()
    return made.filter(reference => reference.deref() !== undefined)
  }
  await expect.poll(left).toEqual([])
  await expect.poll(listenersLeft).toBe(0)
  clock.advance(10_000)
})

test('a forgotten tracer stays until what it recorded has been delivered', async () => {
  const clock = new VirtualClock(1_000_000)
  const exporter = new SlowExporter()
  forgotten({ clock, exporter })
  await collect()
  clock.advance(1_000)
  await collect()
  clock.advance(60_000)
  await collect()
  expect(exporter.spans.map(nameOf).sort()).toEqual(['inner', 'other', 'outer'])
  expect(process.listenerCount(SIGNAL)).toBe(1)
  exporter.queued = 0
  clock.advance(1_000)
  await expect.poll(listenersLeft).toBe(0)
})

test('a span that runs, and a tracer of a library, keep what exports them', async () => {
  const clock = new VirtualClock(1_000_000)
  const exporter = new MemoryExporter()
  const [span, library] = (() => {
    const tracer = new Tracer({ clock, exporter, signals: [SIGNAL] })
    return [tracer.startSpan('running'), tracer.scoped({ name: 'library' })] as const
  })()
  clock.advance(10_000)
  await collect()
  expect(process.listenerCount(SIGNAL)).toBe(1)
  span.end()
  library.startSpan('later').end()
  clock.advance(10_000)
  expect(exporter.spans.map(nameOf)).toEqual(['running', 'later'])
})

function nameOf({ name }: FinishedSpan): string {
  return name
}
