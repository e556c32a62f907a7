import { defineCase, defineSuite } from '../../define.ts'
import { built, checkImport, importTime } from '../../measure/import-time.ts'
import { millrace, millraceWith, openTelemetry } from './contenders/tracers.ts'
import { allocated, checkAllocated, checkRetained, retained } from './workloads/memory.ts'
import {
  checkReceived,
  collector,
  cpuShare,
  exported,
  millraceService,
  openTelemetryService,
} from './workloads/service.ts'
import {
  active,
  bare,
  checkArrived,
  checkNone,
  five,
  spans,
  specification,
  twoReadings,
  unique,
  wrapped,
} from './workloads/spans.ts'
import { emptied, openTelemetryFiles, published } from './workloads/start-up.ts'

/** The path for comparison: a span object and an attribute list of its own each, values resolved at once. */
const plain = millraceWith({ optimized: false, lazy: false })

export default defineSuite({
  name: 'tracer',
  description:
    'Each figure is the median of the rounds (5, or 1 to 2 with `--quick`), each in a process of its own, ours and OpenTelemetry in turn. Both run with an AsyncLocalStorage context. Both are warm: several 100,000 spans come first, as code is compiled late on a busy machine. “To bytes” includes OTLP protobuf encoding in batches; the spans are counted in the bytes, and our encoder gets their memory back, as it does from its exporter once they are sent (OpenTelemetry’s has no use for it). OpenTelemetry’s processor is a BatchSpanProcessor without timers and without drops.',
  versions: ['@opentelemetry/sdk-trace', '@opentelemetry/otlp-transformer'],
  headline: /^(start and end|5 attributes to bytes|unsampled)$/,
  cases: [
    defineCase<number>({
      name: 'start and end',
      description: 'a recorded span without attributes, discarded by the exporter',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 6,
      ours: spans(millrace, bare, 'discard'),
      peers: { OpenTelemetry: spans(openTelemetry, bare, 'discard') },
      check: checkArrived,
    }),
    defineCase<number>({
      name: '5 attributes to bytes',
      description: 'a span with the attributes of an HTTP request, to OTLP protobuf',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 12,
      ours: spans(millrace, five),
      peers: { OpenTelemetry: spans(openTelemetry, five) },
      check: checkArrived,
    }),
    defineCase<number>({
      name: '10 attributes to bytes',
      description:
        'OpenTelemetry’s own benchmark: 10 attributes with keys and values of 20 characters, to OTLP protobuf',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 10,
      ours: spans(millrace, specification),
      peers: { OpenTelemetry: spans(openTelemetry, specification) },
      check: checkArrived,
    }),
    defineCase<number>({
      name: '10 unique attributes to bytes',
      description: 'the same with values that are never repeated',
      unit: 'ns/op',
      quickRounds: 2,
      ours: spans(millrace, unique),
      peers: { OpenTelemetry: spans(openTelemetry, unique) },
      check: checkArrived,
    }),
    defineCase<number>({
      name: 'unsampled',
      description: 'start and end of a root that the sampler drops',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 50,
      ours: spans(millrace, bare, 'discard', false),
      peers: { OpenTelemetry: spans(openTelemetry, bare, 'discard', false) },
      check: checkNone,
    }),
    defineCase<number>({
      name: 'active span',
      description: 'a synchronous callback in a new active span, in a new asynchronous context',
      unit: 'ns/op',
      quickRounds: 2,
      ours: spans(millrace, active, 'discard'),
      peers: { OpenTelemetry: spans(openTelemetry, active, 'discard') },
      check: checkArrived,
    }),
    defineCase<number>({
      name: 'wrapped function',
      description:
        'a synchronous function wrapped by `traced(fn, { sync: true })` and by hand; “two clock readings” is the same function between two readings of the clock that times spans, and nothing else',
      unit: 'ns/op',
      quickRounds: 2,
      limit: 100,
      ours: wrapped(millrace),
      peers: { OpenTelemetry: wrapped(openTelemetry), 'two clock readings': twoReadings },
      check: checkArrived,
    }),
    defineCase<number>({
      name: 'optimised and plain path',
      description:
        'the span of “5 attributes to bytes” against our own path without pool and laziness',
      unit: 'ns/op',
      quickRounds: 2,
      ours: spans(millrace, five),
      peers: { 'plain path': spans(plain, five) },
      check: checkArrived,
    }),
    defineCase<number>({
      name: 'allocated',
      description: 'heap bytes allocated by start and end of a root span, garbage included',
      unit: 'bytes/span',
      quickRounds: 1,
      limit: 100,
      ours: allocated(millrace, 0),
      peers: { OpenTelemetry: allocated(openTelemetry, 0), 'plain path': allocated(plain, 0) },
      check: checkAllocated,
    }),
    defineCase<number>({
      name: 'allocated, 5 attributes',
      description: 'the same with five attributes whose values are constants',
      unit: 'bytes/span',
      quickRounds: 1,
      goal: { 'plain path': 1 / 0.7 },
      ours: allocated(millrace, 5),
      peers: { OpenTelemetry: allocated(openTelemetry, 5), 'plain path': allocated(plain, 5) },
      check: checkAllocated,
    }),
    defineCase<number>({
      name: 'retained',
      description: 'bytes kept alive by a running span with ten attributes, beyond a full pool',
      unit: 'bytes/span',
      quickRounds: 1,
      limit: 1_000,
      ours: retained(millrace),
      peers: { OpenTelemetry: retained(openTelemetry) },
      check: checkRetained,
    }),
    defineCase<number>({
      name: '10 attributes, exported',
      description:
        'OpenTelemetry’s own benchmark to the end: the same spans, sent by the real exporters to a real collector',
      unit: 'us CPU/span',
      quickRounds: 1,
      goal: 6,
      fixture: collector,
      ours: exported(millraceService),
      peers: { OpenTelemetry: exported(openTelemetryService) },
      check: checkReceived,
    }),
    defineCase<number>({
      name: '10,000 spans a second',
      description:
        'share of one core, in percent, with five attributes each, sent by the real exporters to a real collector',
      unit: '% of a core',
      quickRounds: 1,
      limit: 1,
      fixture: collector,
      ours: cpuShare(millraceService),
      peers: { OpenTelemetry: cpuShare(openTelemetryService) },
      check: checkReceived,
    }),
    defineCase<number>({
      name: 'import',
      description:
        'time to import tracer and OTLP exporter, as published, in a fresh process; “empty files” are the same files with nothing in them but their imports; “main entry alone” is the tracer without the exporter',
      unit: 'ms',
      quickRounds: 1,
      limit: 5,
      ours: importTime(published),
      peers: {
        OpenTelemetry: importTime(openTelemetryFiles),
        'empty files': importTime(emptied),
        'main entry alone': importTime(() => built('tracer', 'index')),
      },
      check: checkImport(11),
    }),
  ],
})
