import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from './export/memory-exporter.ts'
import { JsonEncoder } from './otlp/encoding/json-encoder.ts'
import { EncodingExporter } from './otlp/encoding-exporter.fixture.ts'
import { spansOf } from './otlp/otlp-messages.fixture.ts'
import { ProtobufEncoder } from './otlp/protobuf/protobuf-encoder.ts'
import type { SpanRecord } from './span/recorded/span-record.ts'
import { Tracer } from './tracer/tracer.ts'
import type { TracerOptions } from './tracer/tracer-options.ts'

describe('hostile values', () => {
  const cycle: Record<string, unknown> = { name: 'cycle' }
  cycle.self = cycle
  let deep: unknown = 'bottom'
  for (let i = 0; i < 10_000; i++) deep = [deep]
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const values: Record<string, unknown> = {
    cycle,
    deep,
    wide: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])),
    getter: {
      get boom() {
        throw new Error('boom')
      },
    },
    proxy: new Proxy([], {
      get: () => {
        throw new Error('trap')
      },
    }),
    revoked: revoked.proxy,
    toJSON: {
      toJSON: () => {
        throw new Error('toJSON')
      },
      kept: 1,
    },
    symbol: Symbol('s'),
    function: () => 1,
    instance: new Date(0),
    map: new Map([['a', 1]]),
    sparse: new Array(5),
    proto: JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}'),
    bigint: 2n ** 70n,
    surrogate: '\ud800',
    huge: 'x'.repeat(1_000_000),
    bytes: new Uint8Array([1, 2, 3]),
    nothing: undefined,
    nil: null,
    nan: Number.NaN,
  }

  test.each([
    ['lazily', {}],
    ['eagerly', { lazy: false }],
    ['without a pool', { pool: 0 }],
    ['cut', { limits: { valueLength: 10, attributes: 8 } }],
  ] as [string, TracerOptions][])(
    'never throw and never spoil the export (%s)',
    async (_, options) => {
      const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
      const tracer = new Tracer({ exporter, signals: [], ...options })
      for (const [name, value] of Object.entries(values)) {
        const span = tracer.startSpan(name, { attributes: { value: value as never } })
        span.setAttribute('again', value as never).setAttribute(value as never, 1)
        span.setAttributes(value as never).setAttributes(null as never)
        span.addEvent('event', { value: value as never }).addEvent(value as never, Number.NaN)
        span
          .addLink({ context: value as never })
          .addLink(value as never)
          .addLinks(value as never)
        span.recordException(value)
        span.setStatus(value as never).updateName(name)
        span.end(value as never)
      }
      tracer.flushSync()
      const [binary, json] = exporter.takeDecoded().map(spansOf)
      expect(binary!.map(span => span.name)).toEqual(Object.keys(values))
      expect(json).toEqual(binary)
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
    },
  )

  test('are kept as far as they can be said', async () => {
    const exporter = new MemoryExporter()
    const tracer = new Tracer({ exporter, signals: [] })
    tracer.startSpan('all', { attributes: values as never }).end()
    await tracer.flush()
    const [span] = exporter.spans
    expect(Object.keys(span!.attributes)).toEqual([
      'wide',
      'sparse',
      'proto',
      'bigint',
      'surrogate',
      'huge',
      'bytes',
      'nil',
      'nan',
    ])
    // The rest, each once: cycle, deep, getter, proxy, revoked, toJSON, symbol, function, instance, map. `undefined` is no value.
    expect(span!.droppedAttributes).toBe(10)
    expect(Object.keys(span!.attributes.wide as object)).toHaveLength(1_024)
    expect(span!.attributes.sparse).toEqual([null, null, null, null, null])
    expect(Object.keys(span!.attributes.proto as object)).toEqual(['__proto__', 'constructor'])
  })

  test('that change after they were set are exported as they were', async () => {
    const exporter = new MemoryExporter()
    const tracer = new Tracer({ exporter, signals: [] })
    const list = [1]
    const object = { a: 1, nested: { b: [1] } }
    const bytes = new Uint8Array([1])
    tracer.startSpan('s', { attributes: { list, object, bytes } }).end()
    list.push(2)
    object.nested.b[0] = 2
    bytes[0] = 2
    await tracer.flush()
    expect(exporter.spans[0]?.attributes).toEqual({
      list: [1],
      object: { a: 1, nested: { b: [1] } },
      bytes: new Uint8Array([1]),
    })
  })

  test('of any kind at all', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withSparseArray: true,
          withTypedArray: true,
          withMap: true,
        }),
        value => {
          const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
          const tracer = new Tracer({ exporter, signals: [] })
          const span = tracer.startSpan('any', { attributes: { value: value as never } })
          span.setAttributes(value as never).recordException(value)
          span.end()
          tracer.flushSync()
          const [binary, json] = exporter.takeDecoded().map(spansOf)
          expect(binary).toHaveLength(1)
          expect(json).toEqual(binary)
        },
      ),
      { numRuns: runs(200) },
    )
  })

  test('limits count what they drop', async () => {
    const exporter = new MemoryExporter()
    const limits = { attributes: 3, events: 2, links: 1, attributesPerEvent: 1, valueLength: 4 }
    for (const lazy of [true, false]) {
      const tracer = new Tracer({ exporter, signals: [], limits, lazy })
      const span = tracer.startSpan('limited')
      for (let i = 0; i < 10; i++) span.setAttribute(`k${i % 5}`, `value ${i}`)
      for (let i = 0; i < 4; i++)
        span.addEvent(`e${i}`, { a: 1, b: 2 }).addLink({ context: span.spanContext() })
      span.end()
      await tracer.flush()
      const finished = exporter.spans.pop()!
      expect(finished.attributes).toEqual({ k0: 'valu', k1: 'valu', k2: 'valu' })
      expect(finished).toMatchObject({ droppedAttributes: 4, droppedEvents: 2, droppedLinks: 3 })
      expect(finished.events.map(event => event.attributes)).toEqual([{ a: 1 }, { a: 1 }])
    }
  })
})

/** Encodes spans in pieces, as the exporter to a collector does, and forgets them. */
class Piecewise extends EncodingExporter {
  #unsent = 0

  override write(span: SpanRecord): void {
    super.write(span)
    if (++this.#unsent < 500) return
    this.take()
    this.#unsent = 0
  }
}

describe('load', () => {
  test('a million spans leave the heap flat', () => {
    const tracer = new Tracer({ exporter: new Piecewise(new ProtobufEncoder()), signals: [] })
    const spans = (count: number) => {
      for (let i = 0; i < count; i++) {
        const span = tracer.startSpan('load')
        span.setAttribute('i', i).setAttribute('path', `/item/${i % 100}`)
        tracer.startSpan('child', { parent: span }).end()
        span.end()
      }
      tracer.flushSync()
      globalThis.gc!()
      return process.memoryUsage().heapUsed
    }
    const before = spans(50_000)
    const after = spans(450_000)
    expect(after - before).toBeLessThan(1_500_000)
    expect(tracer.stats()).toMatchObject({
      ended: 1_000_000,
      exported: 1_000_000,
      waiting: 0,
      poolFree: 1_000,
    })
  })

  test('encoding holds the event loop for two milliseconds at a time', async () => {
    // Time passes only while spans are encoded: a tenth of a millisecond each.
    let time = 0
    const clock = { now: () => time, setTimer: () => ({ cancel() {} }) }
    class Slow extends Piecewise {
      override write(span: SpanRecord): void {
        time += 0.1
        super.write(span)
      }
    }
    const tracer = new Tracer({
      exporter: new Slow(new ProtobufEncoder()),
      clock,
      signals: [],
      pool: 20_000,
      batchSize: 10_000,
    })
    for (let i = 0; i < 5_000; i++) tracer.startSpan('one').end()
    let turns = 0
    let longest = 0
    let done = false
    void tracer.flush().then(() => {
      done = true
    })
    for (let before = 0; !done; turns++) {
      longest = Math.max(longest, time - before)
      before = time
      await new Promise(resolve => setImmediate(resolve))
    }
    // The clock is read every 16 spans, so a slice is over after 32.
    expect(longest).toBeCloseTo(3.2)
    expect(turns).toBeGreaterThanOrEqual(Math.floor(5_000 / 32))
    expect(tracer.stats().waiting).toBe(0)
  })

  test('worker threads trace on their own, with ids of their own', async () => {
    const source = `
      import { parentPort } from 'node:worker_threads'
      import { MemoryExporter, Tracer } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
      const exporter = new MemoryExporter()
      const tracer = new Tracer({ exporter, signals: [] })
      for (let i = 0; i < 500; i++) tracer.span('work', span => { tracer.startSpan('child').end() })
      await tracer.close()
      parentPort.postMessage(exporter.spans.map(({ traceId, spanId }) => traceId + spanId))`
    const ids = await Promise.all(
      [1, 2, 3].map(async () => {
        const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
          execArgv: ['--conditions=millrace-source'],
        })
        const [message] = (await once(worker, 'message')) as [string[]]
        await worker.terminate()
        return message
      }),
    )
    expect(new Set(ids.flat()).size).toBe(3_000)
  })
})

test('ids are unique, well mixed and never zero', () => {
  const exporter = new MemoryExporter()
  const tracer = new Tracer({ exporter, signals: [] })
  const seen = new Set<string>()
  const ones = new Array<number>(64).fill(0)
  for (let i = 0; i < 20_000; i++) {
    const { traceId, spanId } = tracer.startSpan('s', { parent: null }).spanContext()
    seen.add(traceId).add(spanId)
    const bits = BigInt(`0x${traceId.slice(16)}`)
    for (let bit = 0; bit < 64; bit++) ones[bit]! += Number((bits >> BigInt(bit)) & 1n)
  }
  expect(seen.size).toBe(40_000)
  expect(seen.has('0'.repeat(16))).toBe(false)
  for (const count of ones) expect(Math.abs(count - 10_000)).toBeLessThan(450)
})
