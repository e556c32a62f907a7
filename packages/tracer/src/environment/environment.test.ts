import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ActiveContext, runWith } from '../context/active-context.ts'
import { Baggage } from '../context/baggage.ts'
import { ConsoleExporter } from '../export/console-exporter.ts'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { Collector } from '../otlp/collector.fixture.ts'
import { decodeRequest } from '../otlp/otlp-messages.fixture.ts'
import { OtlpTraceExporter } from '../otlp/otlp-trace-exporter.ts'
import { extract } from '../propagation/carrier.ts'
import { optionsFromEnvironment, tracerFromEnvironment } from './tracer-from-environment.ts'

const warnings: string[] = []
beforeEach(() => {
  warnings.length = 0
  vi.spyOn(process, 'emitWarning').mockImplementation(
    message => void warnings.push(String(message)),
  )
})
afterEach(() => vi.restoreAllMocks())

test('an empty environment gives the defaults', () => {
  const { exporter, ...rest } = optionsFromEnvironment({
    OTEL_SERVICE_NAME: '',
    OTEL_TRACES_SAMPLER: ' ',
  })
  expect(exporter).toBeInstanceOf(OtlpTraceExporter)
  expect(rest).toEqual({ enabled: true, limits: {} })
  expect(warnings).toEqual([])
})

test("our own name for the batch size goes before the specification's", () => {
  const both = { MILLRACE_TRACE_BATCH_SIZE: '50', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '256' }
  expect(optionsFromEnvironment(both).batchSize).toBe(50)
  expect(optionsFromEnvironment({ MILLRACE_TRACE_BATCH_SIZE: '50' }).batchSize).toBe(50)
})

test('every variable arrives where it belongs', () => {
  const { exporter, sampler, ...rest } = optionsFromEnvironment({
    OTEL_SDK_DISABLED: 'TRUE',
    OTEL_SERVICE_NAME: 'shop',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod,team=%C3%A4%2Cb',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_TRACES_EXPORTER: 'console',
    OTEL_PROPAGATORS: 'baggage, tracecontext,baggage',
    OTEL_BSP_SCHEDULE_DELAY: '1000',
    OTEL_BSP_EXPORT_TIMEOUT: '2000',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '256',
    OTEL_ATTRIBUTE_COUNT_LIMIT: '10',
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '20',
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '30',
    OTEL_SPAN_EVENT_COUNT_LIMIT: '40',
    OTEL_SPAN_LINK_COUNT_LIMIT: '50',
    OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: '60',
    OTEL_LINK_ATTRIBUTE_COUNT_LIMIT: '70',
    MILLRACE_TRACE_POOL_SIZE: '500',
    MILLRACE_TRACE_LAZY: 'false',
    MILLRACE_TRACE_OPTIMIZED: '25',
  })
  expect(exporter).toBeInstanceOf(ConsoleExporter)
  expect(sampler).toMatchObject({ probability: 0.25, parentBased: true })
  expect(rest).toEqual({
    enabled: false,
    service: 'shop',
    resource: { 'deployment.environment.name': 'prod', team: 'ä,b' },
    propagators: ['baggage', 'tracecontext'],
    batchSize: 256,
    delay: 1_000,
    exitTimeout: 2_000,
    pool: 500,
    lazy: false,
    optimized: 25,
    limits: {
      attributes: 30,
      valueLength: 20,
      events: 40,
      links: 50,
      attributesPerEvent: 60,
      attributesPerLink: 70,
    },
  })
})

test.each([
  ['always_on', { description: 'AlwaysOnSampler' }],
  ['always_off', { description: 'AlwaysOffSampler' }],
  ['traceidratio', { probability: 0.5, parentBased: false }],
  ['parentbased_always_off', { probability: 0, parentBased: true }],
  ['parentbased_always_on', undefined],
])('the sampler %s', (name, expected) => {
  const { sampler } = optionsFromEnvironment({
    OTEL_TRACES_SAMPLER: name,
    OTEL_TRACES_SAMPLER_ARG: '0.5',
  })
  if (expected === undefined) expect(sampler).toBeUndefined()
  else expect(sampler).toMatchObject(expected)
})

test('spans go to the endpoint, with headers and compression', async () => {
  await using collector = await Collector.start()
  for (const env of [
    { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}/` },
    {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    },
  ]) {
    const tracer = tracerFromEnvironment(
      { signals: [] },
      {
        ...env,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b',
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_RESOURCE_ATTRIBUTES: 'service.name=from-resource',
      },
    )
    tracer.startSpan('one').end()
    await tracer.close()
    expect(tracer.stats().exported).toBe(1)
  }
  const [{ headers, body } = { headers: {}, body: Buffer.alloc(0) }] = collector.accepted
  expect(headers).toMatchObject({ 'x-key': 'a b', 'content-encoding': 'gzip' })
  expect(JSON.stringify(decodeRequest(body).resourceSpans[0]?.resource)).toContain('from-resource')
})

test('what cannot be used warns once, without the value, and counts as unset', () => {
  const env = {
    OTEL_BSP_SCHEDULE_DELAY: 'soon',
    OTEL_TRACES_SAMPLER: 'mine',
    OTEL_RESOURCE_ATTRIBUTES: 'a=1,secret',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url',
    MILLRACE_TRACE_POOL_SIZE: '-1',
    MILLRACE_TRACE_OPTIMIZED: '200',
    MILLRACE_TRACE_LAZY: 'maybe',
  }
  for (let i = 0; i < 2; i++) {
    const { exporter, ...rest } = optionsFromEnvironment(env)
    expect(rest).toEqual({ enabled: true, limits: {} })
  }
  expect(warnings.sort()).toEqual([
    'Expected MILLRACE_TRACE_LAZY to be true or false; using the default',
    'Expected MILLRACE_TRACE_OPTIMIZED to be a number from 0 to 100; using the default',
    'Expected MILLRACE_TRACE_POOL_SIZE to be an integer from 0 to 1000000; using the default',
    'Expected OTEL_BSP_SCHEDULE_DELAY to be an integer from 0 to 2147483647; using the default',
    'Expected OTEL_EXPORTER_OTLP_ENDPOINT to be an http or https URL; using the default',
    'Expected OTEL_EXPORTER_OTLP_PROTOCOL to be one of http/protobuf, http/json; using the default',
    'Expected OTEL_RESOURCE_ATTRIBUTES to be pairs like key=value,key=value; using the default',
    'Expected OTEL_TRACES_SAMPLER to be one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio; using the default',
  ])
})

/** Without a debug flag. */
const B3 = ['x-b3-traceid', 'x-b3-spanid', 'x-b3-sampled']

test.each([
  ['none', []],
  ['tracecontext', ['traceparent', 'tracestate']],
  ['baggage', ['baggage']],
  ['b3', ['b3']],
  ['b3multi , tracecontext,b3multi', B3.concat('traceparent', 'tracestate')],
  ['', ['traceparent', 'tracestate', 'baggage']],
])('OTEL_PROPAGATORS=%s sends and reads just those headers', (OTEL_PROPAGATORS, fields) => {
  const { propagation } = tracerFromEnvironment({ signals: [] }, { OTEL_PROPAGATORS })
  expect(propagation.fields.filter(field => field !== 'x-b3-flags')).toEqual(fields)
  const incoming = {
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    tracestate: 'x=1',
    baggage: 'tenant=acme',
    b3: `${'a'.repeat(32)}-${'b'.repeat(16)}-1`,
  }
  const parent = propagation.extract(incoming)
  expect([parent.span !== null, parent.baggage !== null]).toEqual([
    fields.some(field => field !== 'baggage'),
    fields.includes('baggage'),
  ])
  const outgoing: Record<string, string> = {}
  // Of everything that arrived, so that only what may be sent decides.
  runWith(new ActiveContext(extract(incoming).span as never, Baggage.parse('tenant=acme')), () =>
    propagation.inject(outgoing),
  )
  expect(Object.keys(outgoing)).toEqual(fields)
})

test('what is not supported says so once, and is ignored', () => {
  const env = {
    OTEL_CONFIG_FILE: '/etc/otel.yaml',
    OTEL_EXPORTER_OTLP_CLIENT_KEY: '/etc/key.pem',
    OTEL_PROPAGATORS: 'xray,tracecontext',
  }
  for (let i = 0; i < 2; i++) {
    expect(optionsFromEnvironment(env).propagators).toEqual(['tracecontext'])
  }
  expect(warnings).toEqual([
    'OTEL_CONFIG_FILE is not supported; ignoring it',
    'OTEL_EXPORTER_OTLP_CLIENT_KEY is not supported; ignoring it',
    'Expected OTEL_PROPAGATORS to be none or a list of tracecontext, baggage, b3, b3multi; ignoring the rest',
  ])
})

test('OTEL_LOG_LEVEL silences warnings', () => {
  for (const OTEL_LOG_LEVEL of ['none', 'ERROR']) {
    optionsFromEnvironment({ OTEL_LOG_LEVEL, OTEL_TRACES_EXPORTER: 'zipkin' })
  }
  expect(warnings).toEqual([])
  optionsFromEnvironment({ OTEL_LOG_LEVEL: 'warn', OTEL_TRACES_EXPORTER: 'zipkin' })
  expect(warnings).toHaveLength(1)
})

test('spans that are lost warn once for each reason, as nobody gave a listener', async () => {
  await using collector = await Collector.start()
  const statuses = [400, 400, 401, 400]
  collector.answer = request => ({ status: statuses[request - 1]! })
  const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.url }
  const tracer = tracerFromEnvironment({ signals: [] }, env)
  for (const _ of statuses) {
    tracer.startSpan('lost').end()
    await tracer.flush()
  }
  expect(tracer.stats().dropped).toBe(4)
  expect(warnings).toEqual([
    'Collector answered 400; spans are lost, see tracer.stats()',
    'Collector answered 401; spans are lost, see tracer.stats()',
  ])
  const silent = tracerFromEnvironment({ signals: [] }, { ...env, OTEL_LOG_LEVEL: 'none' })
  collector.answer = () => ({ status: 403 })
  silent.startSpan('lost').end()
  await silent.close()
  expect(warnings).toHaveLength(2)
})

test('no variable makes the constructor throw, and a limit of zero means none', async () => {
  const tracer = tracerFromEnvironment(
    { signals: [] },
    {
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2147483647',
      OTEL_BSP_SCHEDULE_DELAY: '0',
      OTEL_BSP_EXPORT_TIMEOUT: '0',
      OTEL_EXPORTER_OTLP_TIMEOUT: '0',
      OTEL_ATTRIBUTE_COUNT_LIMIT: '2147483647',
      MILLRACE_TRACE_POOL_SIZE: '99999999999',
    },
  )
  expect(tracer.startSpan('one').isRecording()).toBe(true)
  expect(optionsFromEnvironment({ OTEL_BSP_SCHEDULE_DELAY: '0' }).delay).toBe(1)
  expect(optionsFromEnvironment({ OTEL_BSP_EXPORT_TIMEOUT: '0' }).exitTimeout).toBe(2 ** 31 - 1)
})

test('options win over variables', () => {
  const exporter = new MemoryExporter()
  const tracer = tracerFromEnvironment(
    { exporter, enabled: true, signals: [] },
    { OTEL_SDK_DISABLED: 'true' },
  )
  tracer.startSpan('one').end()
  tracer.flushSync()
  expect(exporter.spans).toHaveLength(1)
})

test('options and variables are merged entry by entry, and what is undefined counts as not given', async () => {
  const exporter = new MemoryExporter()
  let opened: unknown
  const open = (resource: unknown) => {
    opened = resource
  }
  const tracer = tracerFromEnvironment(
    {
      exporter: Object.assign(exporter, { open }),
      signals: [],
      service: undefined as never,
      resource: { team: 'code', 'host.name': 'h' },
      limits: { events: 1 },
    },
    {
      OTEL_SERVICE_NAME: 'shop',
      OTEL_RESOURCE_ATTRIBUTES: 'team=variable,region=eu',
      OTEL_SPAN_EVENT_COUNT_LIMIT: '7',
      OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '1',
    },
  )
  expect(opened).toMatchObject({
    'service.name': 'shop',
    team: 'code',
    region: 'eu',
    'host.name': 'h',
  })
  tracerFromEnvironment(
    {
      exporter: Object.assign(new MemoryExporter(), { open }),
      resource: { 'service.name': 'code' },
    },
    { OTEL_SERVICE_NAME: 'variable' },
  )
  expect(opened).toMatchObject({ 'service.name': 'code' })
  const span = tracer.startSpan('one', { attributes: { a: 1, b: 2 } })
  span.addEvent('first').addEvent('second').end()
  await tracer.flush()
  expect(exporter.spans[0]).toMatchObject({ droppedAttributes: 1, droppedEvents: 1 })
})
