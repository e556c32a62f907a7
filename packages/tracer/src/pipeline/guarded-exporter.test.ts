import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Exporter } from '../export/exporter.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { Tracer } from '../tracer/tracer.ts'

const boom = (): never => {
  throw new Error('of the exporter')
}
let warnings: string[] = []
beforeEach(() => {
  warnings = []
  vi.spyOn(process, 'emitWarning').mockImplementation(text => void warnings.push(String(text)))
})
afterEach(() => void vi.restoreAllMocks())

/** An exporter that takes everything, with one method replaced. */
function exporterWith(broken: Partial<Exporter>): Exporter & { taken: number } {
  return {
    taken: 0,
    write() {
      this.taken++
    },
    send() {},
    async flush() {},
    async close() {},
    stats() {
      return { exported: this.taken, dropped: 0, queued: 0, queuedBytes: 0 }
    },
    ...broken,
  }
}

test('an exporter that throws fails neither a span nor a flush, and what it did not take is dropped', async () => {
  let calls = 0
  const exporter = exporterWith({
    write() {
      if (++calls % 3 === 0) boom()
      exporter.taken++
    },
  })
  const tracer = new Tracer({ exporter, signals: [], pool: 100, batchSize: 10 })
  // More than the pool holds and without a yield, so that ends encode in place.
  for (let i = 0; i < 300; i++) expect(() => tracer.startSpan('s').end()).not.toThrow()
  await tracer.close()
  expect(tracer.stats()).toMatchObject({ ended: 300, exported: 200, dropped: 100, poolFree: 100 })
  expect(warnings).toEqual(['The exporter of a tracer threw in write(): Error: of the exporter'])
})

test.each([boom, () => null])(
  'one whose stats cannot be read fails none of the tracer’s',
  stats => {
    const tracer = new Tracer({ exporter: exporterWith({ stats: stats as never }), signals: [] })
    tracer.startSpan('s').end()
    tracer.flushSync()
    expect(tracer.stats()).toMatchObject({ ended: 1, exported: 0, dropped: 0 })
    expect(warnings).toHaveLength(1)
  },
)

test.each([
  ['send', { send: boom }],
  ['flush', { flush: boom }],
  ['flush', { flush: () => Promise.reject(Symbol('s')) }],
  ['close', { close: async () => boom() }],
  ['closeSync', { closeSync: boom }],
  ['send', { send: async () => boom() }],
  ['closeSync', { closeSync: async () => boom() }],
  ['open', { open: async () => boom() }],
  ['flush', { flush: () => Promise.reject({ toString: boom }) }],
] as [string, Partial<Exporter>][])('one that fails in %s is warned of', async (method, broken) => {
  const tracer = new Tracer({ exporter: exporterWith(broken), signals: [], delay: 1 })
  tracer.startSpan('s').end()
  tracer.flushSync()
  tracer.startSpan('t').end()
  // The timer of the delay sends.
  await expect.poll(() => tracer.stats().exported).toBe(2)
  await tracer.flush()
  await tracer.close()
  expect(tracer.stats()).toMatchObject({ ended: 2, exported: 2, dropped: 0 })
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain(`in ${method}()`)
})

test.each([
  ['all of it', (span: SpanRecord) => Object.keys(span)],
  ['its attributes', () => ['attributes']],
  ['what it belongs to', () => ['pool', 'pooled', 'scope', 'trace']],
])('one that overwrites a span, %s, fails no call and no other span', async (_, keys) => {
  const names: string[] = []
  const exporter = exporterWith({
    write(span) {
      names.push(span.name)
      exporter.taken++
      if (names.length % 2 === 0) return
      for (const key of keys(span)) Object.assign(span, { [key]: null })
    },
  })
  const tracer = new Tracer({ exporter, signals: [], pool: 20, batchSize: 10 })
  const expected = Array.from({ length: 200 }, (_, at) => `s${at}`)
  for (const name of expected) tracer.span(name, span => span.setAttribute('key', name))
  await tracer.flush()
  await tracer.close()
  expect(names).toEqual(expected)
  expect(tracer.stats()).toMatchObject({ ended: 200, exported: 200, dropped: 0 })
  expect(warnings).toEqual([])
})
