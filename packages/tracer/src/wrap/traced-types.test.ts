import { globSync, readFileSync } from 'node:fs'
import { memoize } from '@millrace/cache-core'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { ConsoleExporter } from '../export/console-exporter.ts'
import { MemoryExporter } from '../export/memory-exporter.ts'
import type { OtlpTraceExporterOptions } from '../otlp/otlp-options.ts'
import { OtlpTraceExporter } from '../otlp/otlp-trace-exporter.ts'
import type { SpanOptions } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { TracerOptions } from '../tracer/tracer-options.ts'
import type { TracedOptions } from './traced.ts'

const tracers = {
  enabled: new Tracer({ exporter: new MemoryExporter(), signals: [] }),
  disabled: new Tracer(),
}

describe.each(Object.entries(tracers))('what %s tracing wraps', (_, tracer) => {
  test('keeps its own properties, as its type says', async () => {
    const load = memoize(async (id: string) => id.length)
    const wrapped = [
      tracer.traced(load),
      tracer.traced(load, { sync: true }),
      tracer.traced({ name: 'load' })(load),
    ]
    for (const traced of wrapped) {
      expectTypeOf(traced).toEqualTypeOf(load)
      expect(traced.cache).toBe(load.cache)
      await expect(traced('abc')).resolves.toBe(3)
      expect([traced.name, traced.length]).toEqual([load.name, load.length])
    }
    expect(load.cache.stats().hits).toBe(2)
  })

  test('keeps this, parameters and generics', () => {
    function pick<T, K extends keyof T>(object: T, key: K): T[K] {
      return object[key]
    }
    function yearsAfter(this: Date, years: number) {
      return this.getFullYear() + years
    }
    const traced = tracer.traced(pick)
    expectTypeOf(traced).toEqualTypeOf<typeof pick>()
    expectTypeOf(traced({ a: 1 }, 'a')).toEqualTypeOf<number>()
    expect(traced({ a: 1 }, 'a')).toBe(1)
    const later = tracer.traced(yearsAfter)
    expect(later.call(new Date(2000, 1), 5)).toBe(2005)
    // @ts-expect-error the function wants a Date as `this`
    expect(() => later.call(5, 5)).toThrow(TypeError)
    class Prices {
      readonly base = 2
      @tracer.traced({ name: 'times' })
      times(this: Prices, factor: number) {
        return this.base * factor
      }
    }
    expect(new Prices().times(3)).toBe(6)
    tracer.traced((id: string) => id, { before: (span, [id]) => span.setAttribute('id', id) })
    // @ts-expect-error there is no such option
    expect(() => tracer.traced((id: string) => id, { synk: true })).toThrow('did you mean `sync`?')
    for (const fn of [undefined, null, 5, 'load', {}, Symbol('s')]) {
      expect(() => tracer.traced({})(fn as never)).toThrow('Expected `fn` to be a function')
    }
  })
})

/** All properties, each of them undefined. */
type Undefined<T> = { readonly [K in keyof Required<T>]: undefined }

test('every option may be undefined', () => {
  const options: Undefined<TracerOptions> = {
    service: undefined,
    resource: undefined,
    exporter: undefined,
    sampler: undefined,
    tail: undefined,
    scope: undefined,
    enabled: undefined,
    pool: undefined,
    lazy: undefined,
    optimized: undefined,
    limits: undefined,
    propagators: undefined,
    budget: undefined,
    batchSize: undefined,
    delay: undefined,
    signals: undefined,
    exitTimeout: undefined,
    clock: undefined,
  }
  const span: Undefined<SpanOptions> = {
    kind: undefined,
    attributes: undefined,
    links: undefined,
    startTime: undefined,
    parent: undefined,
  }
  const traced: Undefined<TracedOptions> = {
    name: undefined,
    kind: undefined,
    attributes: undefined,
    sync: undefined,
    before: undefined,
  }
  const otlp: Undefined<OtlpTraceExporterOptions> = {
    url: undefined,
    headers: undefined,
    protocol: undefined,
    compression: undefined,
    timeout: undefined,
    maxQueueBytes: undefined,
    maxQueueSpans: undefined,
    dropPolicy: undefined,
    maxRequestBytes: undefined,
    retry: undefined,
    onError: undefined,
    clock: undefined,
  }
  const tracer = new Tracer(options)
  tracer.startSpan('x', span).end()
  expect(tracer.traced(() => 1, traced)()).toBe(1)
  expect(new OtlpTraceExporter(otlp).stats().queued).toBe(0)
  expect(new ConsoleExporter({ print: undefined }).stats().exported).toBe(0)
})

/** As users with exactOptionalPropertyTypes need it; the types above cannot tell, as the workspace is checked without. */
test('every optional property of the surface says so in its type', () => {
  const source = new URL('..', import.meta.url)
  const lacking = globSync('**/*.ts', { cwd: source })
    .filter(file => !/\.(?:test|fixture)\.ts$/.test(file))
    .flatMap(file => {
      const text = readFileSync(new URL(file, source), 'utf8')
      const properties = text.matchAll(/^ {2}readonly (\w+)\?:((?:(?!\n {2}\S|\n\})[\s\S])*)/gm)
      return Array.from(properties, ([, name, type]) => [`${file}: ${name}`, type!] as const)
    })
    .filter(([, type]) => !/\| undefined\s*$/.test(type))
    .map(([place]) => place)
  // Messages of other libraries, as they come.
  expect(lacking.filter(place => !place.startsWith('auto/'))).toEqual([])
})
