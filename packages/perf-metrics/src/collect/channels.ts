import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  checkFunction,
  checkList,
  checkMethods,
  checkOptions,
  checkText,
  type OptionNames,
  type OptionRules,
  optional,
  type Resolved,
  required,
  resolveOptions,
} from '@millrace/kit'
import type { TimingFamily } from '../instrument/labelled.ts'
import type { Labels } from '../labels/label-index.ts'
import { type Registration, registration } from '../registry/registration.ts'
import type { Registry } from '../registry/registry.ts'
import { checkHttpServer, type HttpServerMetricsOptions, measureHttpServer } from './http-server.ts'

type Message = Record<string, unknown>

/** How a library's diagnostics channels become a timing. */
export interface ChannelOperation {
  /** Name of the timing; ends in `_seconds`. */
  readonly metric: string
  readonly help: string
  /** Channels that begin, end and fail an operation. A failure counts once, whatever ends it afterwards. */
  readonly start: string
  readonly end: string
  readonly fail?: string
  readonly labels: readonly string[]
  /** Reads the labels from the message at the end. Values must come from a small set: never keys, paths or queries. */
  read(message: Record<string, unknown>): Labels
  /** The object that start and end have in common. Default: the message. */
  key?(message: Record<string, unknown>): object
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** `200`, or `error` where no answer came. */
const status = (message: Message): string =>
  message.statusCode === undefined ? 'error' : String(message.statusCode)

function millrace(
  operation: string,
  help: string,
  labels: readonly string[],
  read: ChannelOperation['read'],
): ChannelOperation {
  const channel = `millrace:${operation}`
  const metric = `millrace_${operation.replace(':', '_')}_seconds`
  return { metric, help, start: `${channel}:start`, end: `${channel}:end`, labels, read }
}

/** The operations of Millrace's packages, of undici and of ioredis. */
export const CHANNEL_OPERATIONS: readonly ChannelOperation[] = [
  millrace('cache:load', 'Loads of missing or stale cache entries', ['awaited'], m => ({
    awaited: m.awaited !== false,
  })),
  millrace('cache:evict', 'Evictions from caches', [], () => ({})),
  millrace('redis:command', 'Operations of the Redis store', ['operation'], m => ({
    operation: text(m.operation),
  })),
  millrace('http:request', 'Requests through the HTTP pool', ['method', 'origin', 'status'], m => ({
    method: text(m.method),
    origin: text(m.origin),
    status: status(m),
  })),
  millrace('http:attempt', 'Attempts of requests', ['origin', 'reason', 'status'], m => ({
    origin: text(m.origin),
    reason: text(m.reason),
    status: status(m),
  })),
  millrace('limit:wait', 'Waits for a permit', ['limiter'], m => ({ limiter: text(m.limiter) })),
  millrace('limit:refuse', 'Refusals of a permit', ['limiter'], m => ({
    limiter: text(m.limiter),
  })),
  millrace('files:parse', 'Parses of source files', [], () => ({})),
  {
    metric: 'undici_request_seconds',
    help: 'Requests of undici',
    start: 'undici:request:create',
    end: 'undici:request:trailers',
    fail: 'undici:request:error',
    labels: ['method', 'origin'],
    key: m => m.request as object,
    read: ({ request }) => {
      const { method, origin } = request as { method?: unknown; origin?: unknown }
      return { method: text(method), origin: String(origin ?? '') }
    },
  },
  {
    metric: 'ioredis_command_seconds',
    help: 'Commands of ioredis',
    start: 'tracing:ioredis:command:start',
    end: 'tracing:ioredis:command:asyncEnd',
    fail: 'tracing:ioredis:command:error',
    labels: ['command'],
    read: m => ({ command: text(m.command) }),
  },
]

export interface ChannelOptions {
  /** What to measure besides. Default: `CHANNEL_OPERATIONS` */
  readonly operations?: readonly ChannelOperation[] | undefined
  /** Requests served by node:http, by method, route and status; `false` leaves them out. Default: all */
  readonly httpServer?: boolean | HttpServerMetricsOptions | undefined
}

const OPTIONS: OptionNames<ChannelOptions> = { operations: true, httpServer: true }

const OPERATION: OptionRules<ChannelOperation, Resolved<ChannelOperation, 'fail' | 'key'>> = {
  metric: required(checkText),
  help: required(checkText),
  start: required(checkText),
  end: required(checkText),
  fail: optional(checkText),
  labels: required(checkList<string>),
  read: required(checkFunction<ChannelOperation['read']>),
  key: optional(checkFunction<NonNullable<ChannelOperation['key']>>),
}

/**
 * Measures what libraries publish on diagnostics channels. Metrics appear with the first operation; until then, and for
 * libraries that are not loaded, there is nothing to see. Call it before the traffic begins, and once for a registry: each call counts.
 *
 * @throws InvalidOptionError for an option that is unknown or cannot work
 */
export function instrumentChannels(metrics: Registry, options: ChannelOptions = {}): Registration {
  checkMethods('registry', metrics, 'a Registry', ['timing'])
  checkOptions('', options, OPTIONS)
  const { operations = CHANNEL_OPERATIONS, httpServer = true } = options
  for (const [index, each] of checkList('operations', operations).entries()) {
    resolveOptions(`operations[${index}]`, each, OPERATION)
  }
  const served = httpServer === true ? {} : httpServer
  if (served !== false) checkHttpServer(served)
  if (!metrics.enabled) return registration(() => {})
  const undo = operations.map(operation => instrument(metrics, operation))
  if (served !== false) undo.push(measureHttpServer(metrics, served))
  return registration(() => {
    for (const stop of undo.splice(0)) stop()
  })
}

/** What the program's function makes of a message; what it throws must not end the process, as listeners of channels do. */
function safely<T>(read: (message: Message) => T, message: unknown): T | undefined {
  try {
    return read(message as Message)
  } catch {
    // The operation goes unmeasured, or counts as mislabelled.
    return undefined
  }
}

function instrument(metrics: Registry, operation: ChannelOperation): () => void {
  const { metric, help, labels, start, end, fail, read, key = m => m } = operation
  const started = new WeakMap<object, number>()
  let timing: TimingFamily | undefined
  let count: ((labels: Labels, milliseconds: number, failed: boolean) => void) | undefined
  const define = (): NonNullable<typeof count> => {
    if (labels.length === 0) {
      const single = metrics.timing(metric, { help })
      return (_, milliseconds, failed) => single.record(milliseconds, failed)
    }
    timing = metrics.timing(metric, { help, labels })
    return (values, milliseconds, failed) => timing!.record(values, milliseconds, failed)
  }
  const finish = (message: unknown, failed: boolean): void => {
    const object = safely(key, message)
    const begun = object && started.get(object)
    if (begun === undefined) return
    started.delete(object!)
    count ??= define()
    // Without labels it counts as mislabelled.
    count(safely(read, message) ?? {}, performance.now() - begun, failed)
  }
  const onStart = (message: unknown): void => {
    const object = safely(key, message)
    if (Object(object) === object) started.set(object!, performance.now())
  }
  const onEnd = (message: unknown): void => {
    finish(message, (message as Message).error !== undefined)
  }
  const onFail = (message: unknown): void => finish(message, true)
  subscribe(start, onStart)
  subscribe(end, onEnd)
  if (fail !== undefined) subscribe(fail, onFail)
  return () => {
    unsubscribe(start, onStart)
    unsubscribe(end, onEnd)
    if (fail !== undefined) unsubscribe(fail, onFail)
  }
}
