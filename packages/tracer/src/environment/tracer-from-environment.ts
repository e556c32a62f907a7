import { defined } from '@millrace/kit'
import { ConsoleExporter } from '../export/console-exporter.ts'
import type { Exporter } from '../export/exporter.ts'
import type { SpanExportError } from '../export/span-export-error.ts'
import type { OtlpTraceExporterOptions } from '../otlp/otlp-options.ts'
import { OtlpTraceExporter } from '../otlp/otlp-trace-exporter.ts'
import { PROPAGATORS } from '../propagation/propagation.ts'
import type { Sampler } from '../sampling/sampler.ts'
import { alwaysOff, alwaysOn, ratio } from '../sampling/samplers.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { TracerOptions } from '../tracer/tracer-options.ts'
import { EnvironmentReader, MAX_INTEGER } from './reader.ts'

/** The bounds of the tracer's options, so that no variable can make its constructor throw. */
const MAX_BATCH = 10_000
const MAX_POOL = 1_000_000
const MAX_LIMIT = 1_000_000_000

/** Variables of the specification that have no counterpart here. Those of other signals and of gRPC are not named. */
const UNSUPPORTED = [
  'OTEL_CONFIG_FILE',
  'OTEL_EXPERIMENTAL_CONFIG_FILE',
  ...['CERTIFICATE', 'CLIENT_KEY', 'CLIENT_CERTIFICATE'].flatMap(name => [
    `OTEL_EXPORTER_OTLP_${name}`,
    `OTEL_EXPORTER_OTLP_TRACES_${name}`,
  ]),
]

/**
 * A tracer as the environment asks for it, with the variables of OpenTelemetry's specification and `MILLRACE_TRACE_*`.
 * Options given here win over variables, in `resource` and `limits` entry by entry. A variable that cannot be used warns once and counts as unset.
 */
export function tracerFromEnvironment(
  options: TracerOptions = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
): Tracer {
  const fromVariables = optionsFromEnvironment(env)
  const given = defined(options)
  return new Tracer({
    ...fromVariables,
    ...defined({ service: given.resource?.['service.name'] as string | undefined }),
    ...given,
    resource: { ...fromVariables.resource, ...given.resource },
    limits: { ...fromVariables.limits, ...given.limits },
  })
}

/** The options that the environment gives. */
export function optionsFromEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): TracerOptions {
  const read = new EnvironmentReader(env)
  read.unsupported(...UNSUPPORTED)
  const resource = read.pairs('OTEL_RESOURCE_ATTRIBUTES')
  const limit = (...names: string[]) => read.integer(0, MAX_LIMIT, ...names)
  return defined({
    enabled: read.flag('OTEL_SDK_DISABLED') !== true,
    service: read.text('OTEL_SERVICE_NAME') ?? resource?.['service.name'],
    resource,
    sampler: samplerFrom(read),
    exporter: exporterFrom(read),
    propagators: read.list(PROPAGATORS, 'OTEL_PROPAGATORS'),
    batchSize: read.integer(
      1,
      MAX_BATCH,
      'MILLRACE_TRACE_BATCH_SIZE',
      'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    ),
    delay: delayFrom(read),
    exitTimeout: read.timeout('OTEL_BSP_EXPORT_TIMEOUT'),
    pool: read.integer(0, MAX_POOL, 'MILLRACE_TRACE_POOL_SIZE'),
    lazy: read.flag('MILLRACE_TRACE_LAZY'),
    optimized: optimizedFrom(read),
    limits: defined({
      attributes: limit('OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', 'OTEL_ATTRIBUTE_COUNT_LIMIT'),
      valueLength: limit(
        'OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT',
        'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT',
      ),
      events: limit('OTEL_SPAN_EVENT_COUNT_LIMIT'),
      links: limit('OTEL_SPAN_LINK_COUNT_LIMIT'),
      attributesPerEvent: limit('OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT'),
      attributesPerLink: limit('OTEL_LINK_ATTRIBUTE_COUNT_LIMIT'),
    }),
  })
}

/** Of 0 the specification means "at once", which is as soon as a timer can fire. */
function delayFrom(read: EnvironmentReader): number | undefined {
  const delay = read.integer(0, MAX_INTEGER, 'OTEL_BSP_SCHEDULE_DELAY')
  return delay === 0 ? 1 : delay
}

function samplerFrom(read: EnvironmentReader): Sampler | undefined {
  const name = read.choice(
    [
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ],
    'OTEL_TRACES_SAMPLER',
  )
  const probability = name?.endsWith('traceidratio')
    ? (read.number(0, 1, 'OTEL_TRACES_SAMPLER_ARG') ?? 1)
    : 1
  switch (name) {
    case 'always_on':
      return alwaysOn
    case 'always_off':
      return alwaysOff
    case 'traceidratio':
      return ratio(probability, { parentBased: false })
    case 'parentbased_always_off':
      return ratio(0)
    case 'parentbased_traceidratio':
      return ratio(probability)
    default:
      return undefined
  }
}

function exporterFrom(read: EnvironmentReader): Exporter | undefined {
  switch (read.choice(['otlp', 'console', 'none'], 'OTEL_TRACES_EXPORTER')) {
    case 'console':
      return new ConsoleExporter()
    case 'none':
      return undefined
    default:
      return new OtlpTraceExporter(otlpOptions(read))
  }
}

function otlpOptions(read: EnvironmentReader): OtlpTraceExporterOptions {
  const both = (name: string): [string, string] => [
    `OTEL_EXPORTER_OTLP_TRACES_${name}`,
    `OTEL_EXPORTER_OTLP_${name}`,
  ]
  return defined({
    url: urlFrom(read),
    headers: read.pairs(...both('HEADERS')),
    compression: read.choice(['gzip', 'none'], ...both('COMPRESSION')),
    timeout: read.timeout(...both('TIMEOUT')),
    protocol: read.choice(['http/protobuf', 'http/json'], ...both('PROTOCOL')),
    maxQueueSpans: read.integer(1, MAX_INTEGER, 'OTEL_BSP_MAX_QUEUE_SIZE'),
    onError: (error: SpanExportError) => read.lost(error),
    retry: defined({ timeout: read.timeout('OTEL_BSP_EXPORT_TIMEOUT') }),
  })
}

/** The endpoint of the signal is used as it is; the general one gets the path of the signal appended. */
function urlFrom(read: EnvironmentReader): string | undefined {
  const own = read.url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  if (own !== undefined) return own
  const base = read.url('OTEL_EXPORTER_OTLP_ENDPOINT')
  return base === undefined ? undefined : `${base.replace(/\/$/, '')}/v1/traces`
}

/** `true`, `false`, or a percentage. */
function optimizedFrom(read: EnvironmentReader): boolean | number | undefined {
  const text = read.text('MILLRACE_TRACE_OPTIMIZED')?.toLowerCase()
  if (text === 'true' || text === 'false') return text === 'true'
  return read.number(0, 100, 'MILLRACE_TRACE_OPTIMIZED')
}
