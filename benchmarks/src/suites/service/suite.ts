import { defineCase, defineSuite, type Prepare } from '../../define.ts'
import { checkServed, type ServedRun } from './load/measure.ts'

type Measure = 'cpuBeyondBare' | 'bytesBeyondBare' | 'slowestPercentile'
type Contender = 'ours' | 'lruCache' | 'bentocache'

/** Loads what is measured in the child that measures it. */
function served(measure: Measure, contender: Contender): Prepare<ServedRun> {
  return async context => {
    const [{ [contender]: service }, load] = await Promise.all([
      import('./contenders/services.ts').then(module => module.services),
      import('./load/measure.ts'),
    ])
    return load[measure](service)(context)
  }
}

const fixture = async () => (await import('./load/generator.ts')).startGenerator()

const peers = (measure: Measure) => ({
  'with lru-cache': served(measure, 'lruCache'),
  'with bentocache': served(measure, 'bentocache'),
})

export default defineSuite({
  name: 'service',
  description:
    'One request of a service in one process: the route, a tagged value got from a cache or loaded (90 % hits), two counters and a ' +
    'histogram with labels, a limit by user, a span with five attributes that is exported over OTLP. Ours is the family; the peers are ' +
    'the cache named, @prometheus-io/client, rate-limiter-flexible and the SDK of OpenTelemetry. lru-cache has no tags, so its service has ' +
    'none. The load comes from another process, which is the collector as well. CPU time and bytes are those of a request beyond what the ' +
    'same server without any of it takes, in turns within one process.',
  versions: [
    'lru-cache',
    'bentocache',
    '@prometheus-io/client',
    'rate-limiter-flexible',
    '@opentelemetry/sdk-trace',
  ],
  headline: /^CPU beyond a bare server$/,
  cases: [
    defineCase<ServedRun>({
      name: 'CPU beyond a bare server',
      description: 'CPU time of the process for one request, less that of the bare server',
      unit: 'us CPU/request',
      goal: 4,
      quickRounds: 2,
      fixture,
      ours: served('cpuBeyondBare', 'ours'),
      peers: peers('cpuBeyondBare'),
      check: checkServed,
    }),
    defineCase<ServedRun>({
      name: 'allocation beyond a bare server',
      description:
        'heap bytes allocated by one request, garbage included, less those of the bare server',
      unit: 'bytes/request',
      quickRounds: 1,
      fixture,
      ours: served('bytesBeyondBare', 'ours'),
      peers: peers('bytesBeyondBare'),
      check: checkServed,
    }),
    defineCase<ServedRun>({
      name: 'p99 of latency',
      description: 'as the client sees it over 16 connections, the bare server included',
      unit: 'ms',
      quickRounds: 1,
      fixture,
      ours: served('slowestPercentile', 'ours'),
      peers: peers('slowestPercentile'),
      check: checkServed,
    }),
  ],
})
