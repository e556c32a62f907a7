import { defineCase, defineSuite } from '../../define.ts'
import { type Arrived, millrace, openTelemetry } from './contenders/tracers.ts'
import {
  active,
  bare,
  checkArrived,
  checkNone,
  five,
  spans,
  specification,
  unique,
  wrapped,
} from './workloads/spans.ts'

export default defineSuite({
  name: 'tracer',
  description:
    'Each figure is the median of 5 rounds, each in a process of its own, ours and OpenTelemetry in turn. Both run with an AsyncLocalStorage context. “To bytes” includes OTLP protobuf encoding in batches; the bytes stay in memory and their spans are counted. OpenTelemetry’s processor is a BatchSpanProcessor without timers and without drops.',
  versions: ['@opentelemetry/sdk-trace', '@opentelemetry/otlp-transformer'],
  cases: [
    defineCase<Arrived>({
      name: 'start and end',
      description: 'a recorded span without attributes, discarded by the exporter',
      unit: 'ns/op',
      goal: 6,
      ours: spans(millrace, bare, 'discard'),
      peers: { OpenTelemetry: spans(openTelemetry, bare, 'discard') },
      check: checkArrived,
    }),
    defineCase<Arrived>({
      name: '5 attributes to bytes',
      description: 'a span with the attributes of an HTTP request, to OTLP protobuf',
      unit: 'ns/op',
      goal: 12,
      ours: spans(millrace, five),
      peers: { OpenTelemetry: spans(openTelemetry, five) },
      check: checkArrived,
    }),
    defineCase<Arrived>({
      name: '10 attributes to bytes',
      description:
        'OpenTelemetry’s own benchmark: 10 attributes with keys and values of 20 characters, to OTLP protobuf',
      unit: 'ns/op',
      goal: 10,
      ours: spans(millrace, specification),
      peers: { OpenTelemetry: spans(openTelemetry, specification) },
      check: checkArrived,
    }),
    defineCase<Arrived>({
      name: '10 unique attributes to bytes',
      description: 'the same with values that are never repeated',
      unit: 'ns/op',
      ours: spans(millrace, unique),
      peers: { OpenTelemetry: spans(openTelemetry, unique) },
      check: checkArrived,
    }),
    defineCase<Arrived>({
      name: 'unsampled',
      description: 'start and end of a root that the sampler drops',
      unit: 'ns/op',
      goal: 50,
      ours: spans(millrace, bare, 'discard', false),
      peers: { OpenTelemetry: spans(openTelemetry, bare, 'discard', false) },
      check: checkNone,
    }),
    defineCase<Arrived>({
      name: 'active span',
      description: 'a synchronous callback in a new active span, in a new asynchronous context',
      unit: 'ns/op',
      ours: spans(millrace, active, 'discard'),
      peers: { OpenTelemetry: spans(openTelemetry, active, 'discard') },
      check: checkArrived,
    }),
    defineCase<Arrived>({
      name: 'wrapped function',
      description: 'a synchronous function wrapped by `traced(fn, { sync: true })` and by hand',
      unit: 'ns/op',
      limit: 100,
      ours: wrapped(millrace),
      peers: { OpenTelemetry: wrapped(openTelemetry) },
      check: checkArrived,
    }),
  ],
})
