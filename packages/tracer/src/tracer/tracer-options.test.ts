import { inspect } from 'node:util'
import { InvalidOptionError } from '@millrace/kit'
import { describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { JsonEncoder } from '../otlp/encoding/json-encoder.ts'
import { EncodingExporter } from '../otlp/encoding-exporter.fixture.ts'
import { ProtobufEncoder } from '../otlp/protobuf/protobuf-encoder.ts'
import { rateLimited } from '../sampling/samplers.ts'
import { Tracer } from './tracer.ts'
import type { TracerOptions } from './tracer-options.ts'

describe('options', () => {
  test.each([
    [{ pool: -1 }, '`pool` to be an integer from 0 to 1,000,000, got a negative integer'],
    [{ batchSize: 1.5 }, '`batchSize` to be an integer from 1 to 10,000, got a positive number'],
    [{ delay: 0 }, '`delay` to be a finite number above 0, got 0'],
    [{ optimized: 120 }, '`optimized` to be a number from 0 to 100, got a positive integer'],
    [{ limits: { events: -5 } }, '`limits.events` to be an integer from 0 to 1,000,000,000'],
    [{ limits: { event: 5 } as never }, '`limits.event` to be absent'],
    [{ exporter: 'console' as never }, '`exporter` to be an exporter, with a method `write`'],
    [{ sampler: {} as never }, '`sampler` to be a sampler, with a method `sample`'],
    [{ clock: Date as never }, '`clock` to be a clock, with a method `setTimer`'],
    [{ scope: { version: '1' } as never }, '`scope.name` to be a string that is not empty'],
    [
      { propagators: ['B3'] as never },
      "`propagators` to be one of 'tracecontext', 'baggage', 'b3'",
    ],
    [
      { sampler: { description: 's', probability: Number.NaN, sample: () => 1 } },
      '`sampler.probability` to be a number from 0 to 1, got NaN',
    ],
    [{ tail: { quantile: 0 } }, '`tail.quantile` to be a number above 0 and up to 1'],
    [{ tail: { failed: 'yes' } as never }, '`tail.failed` to be true or false'],
    [{ enabled: 'no' } as never, '`enabled` to be true or false'],
    [{ budget: Number.NaN }, '`budget` to be a number above 0 and up to 1, got NaN'],
    [{ exportr: new MemoryExporter() } as never, '(did you mean `exporter`?)'],
    [null as never, '`options` to be a plain object of options, got null'],
  ] as [TracerOptions, string][])('refuses %o', (options, message) => {
    expect(() => new Tracer(options)).toThrow(InvalidOptionError)
    expect(() => new Tracer(options)).toThrow(message)
  })

  test('may be undefined, each', () => {
    const tracer = new Tracer({
      service: undefined,
      exporter: undefined,
      sampler: undefined,
      tail: undefined,
      scope: undefined,
      limits: { events: undefined, valueLength: Infinity },
      clock: undefined,
      delay: undefined,
    })
    expect(tracer.enabled).toBe(false)
  })

  test('in a wrong place do not show their value', () => {
    const secret = 'Bearer secret-0123456789'
    const given: (() => unknown)[] = [
      () => new Tracer({ exporter: secret as never }),
      () => new Tracer({ [secret.slice(7, 13)]: secret } as never),
      () => new Tracer().traced(() => {}, { kind: secret as never }),
    ]
    for (const give of given) {
      let thrown: unknown
      try {
        give()
      } catch (error) {
        thrown = error
      }
      expect(thrown).toBeInstanceOf(InvalidOptionError)
      expect(inspect(thrown)).not.toContain('0123456789')
    }
  })
})

test('a delay beyond what timers reach is long, not short', async () => {
  const exporter = new MemoryExporter()
  let sends = 0
  exporter.send = () => {
    sends++
  }
  const tracer = new Tracer({ exporter, delay: 2 ** 31, signals: [] })
  tracer.startSpan('one').end()
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(sends).toBe(0)
  await tracer.close()
})

test('signals are those of the system that can be caught', async () => {
  for (const signal of ['SIGTERMM', 'sigterm', 'SIGKILL', 'SIGSTOP', '', 15, 'exit']) {
    const make = () => new Tracer({ exporter: new MemoryExporter(), signals: [signal as never] })
    expect(make).toThrow('Expected `signals` to be names of signals that a process can catch')
  }
  // All tracers of a process share a listener: these are signals of this one alone.
  const caught = ['SIGHUP', 'SIGWINCH'] as const
  const before = caught.map(signal => process.listenerCount(signal))
  const tracer = new Tracer({ exporter: new MemoryExporter(), signals: caught })
  expect(caught.map(signal => process.listenerCount(signal))).toEqual(
    before.map(count => count + 1),
  )
  await tracer.close()
  expect(caught.map(signal => process.listenerCount(signal))).toEqual(before)
})

test('a wrapper and a sampler refuse wrong options at once', () => {
  const tracer = new Tracer({ signals: [] })
  for (const options of [{ nam: 'x' }, { name: 5 }, { kind: 9 }, null, 'x', []]) {
    expect(() => tracer.traced(options as never)).toThrow(InvalidOptionError)
  }
  for (const clock of [null, 5, {}, 'x']) {
    expect(() => rateLimited(5, clock as never)).toThrow('Expected `clock` to be a clock')
  }
})

test('a scope is what it was when it was given', async () => {
  const scope = { name: 'lib', version: '1', attributes: { flags: ['a'], deep: { list: [1] } } }
  const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
  await using tracer = new Tracer({ exporter, signals: [], scope })
  const scoped = tracer.scoped(scope)
  scope.version = '2'
  scope.attributes.flags[0] = 'b'
  scope.attributes.deep.list[0] = 2
  tracer.startSpan('first').end()
  scoped.startSpan('second').end()
  tracer.flushSync()
  const scopes = exporter
    .takeDecoded()
    .flatMap(request => request.resourceSpans)
    .flatMap(each => each.scopeSpans.map(one => one.scope))
  expect(scopes).toHaveLength(4)
  const text = (stringValue: string) => ({ arrayValue: { values: [{ stringValue }] } })
  const list = { arrayValue: { values: [{ intValue: '1' }] } }
  for (const one of scopes) {
    expect(one).toMatchObject({
      name: 'lib',
      version: '1',
      attributes: [
        { key: 'flags', value: text('a') },
        { key: 'deep', value: { kvlistValue: { values: [{ key: 'list', value: list }] } } },
      ],
    })
  }
})
