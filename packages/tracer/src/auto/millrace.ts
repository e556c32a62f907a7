import { channel } from 'node:diagnostics_channel'
import { activeContext } from '../context/active-context.ts'
import { SpanKind } from '../span/api/span.ts'
import { errorType } from '../span/recorded/exception-facts.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { batchSize } from './database-attributes.ts'
import { methodAttributes, methodName, serverAttributes, setHttpStatus } from './http-attributes.ts'
import { type Operation, traceOperation } from './operation-spans.ts'
import type { OutgoingCalls } from './outgoing-calls.ts'

/** The fields of the messages that other Millrace packages publish, as far as they become attributes. */
interface Message {
  readonly keys?: unknown
  readonly awaited?: boolean
  readonly operation?: string
  readonly method?: string
  readonly origin?: string
  readonly path?: string
  readonly attempt?: number
  readonly reason?: string
  readonly statusCode?: number
  readonly attempts?: number
  readonly limiter?: string
  readonly cost?: number
  readonly waited?: number
  readonly parser?: string
  readonly bytes?: number
  readonly retryAfter?: number
  readonly error?: unknown
}

/** Keys, paths and file names stay out: they are user data. */
const OPERATIONS: readonly Operation<Message>[] = [
  operation('cache:load', {
    name: () => 'cache.load',
    options: ({ keys, awaited }) => ({
      attributes: {
        'millrace.cache.keys': Array.isArray(keys) ? keys.length : 1,
        'millrace.cache.awaited': awaited,
      },
    }),
  }),
  operation('redis:command', {
    name: ({ operation: name }) => `redis.${name}`,
    options: ({ operation: name, keys }) => ({
      kind: SpanKind.CLIENT,
      attributes: {
        'db.system.name': 'redis',
        'db.operation.name': name,
        'db.operation.batch.size': batchSize(keys),
      },
    }),
  }),
  operation('files:parse', {
    name: () => 'files.parse',
    options: ({ parser, bytes }) => ({
      attributes: { 'millrace.files.parser': parser, 'millrace.files.bytes': bytes },
    }),
  }),
]

const LIMIT_WAIT = operation('limit:wait', {
  name: () => 'limit.wait',
  options: ({ limiter, cost }) => ({
    attributes: { 'millrace.limit.name': limiter, 'millrace.limit.cost': cost },
  }),
  finish: (span, { waited }) => {
    span.setAttribute('millrace.limit.waited', waited)
  },
})

/** A request of the pool with its attempts, each of which is a span, and so is the client's request inside. */
const HTTP_DETAILED: readonly Operation<Message>[] = [
  operation('http:request', {
    name: ({ method = 'GET' }) => `http.request ${methodName(method)}`,
    options: ({ method = 'GET', origin = '' }) => ({
      attributes: { ...methodAttributes(method), ...serverAttributes(origin) },
    }),
    finish: (span, { statusCode, attempts }) => {
      span.setAttribute('http.response.status_code', statusCode)
      span.setAttribute('millrace.http.attempts', attempts)
    },
  }),
  operation('http:attempt', {
    name: ({ method = 'GET' }) => `http.attempt ${methodName(method)}`,
    options: ({ attempt, reason }) => ({
      attributes: { 'millrace.http.attempt': attempt, 'millrace.http.reason': reason },
    }),
    finish: (span, { statusCode }) => {
      span.setAttribute('http.response.status_code', statusCode)
    },
  }),
]

/** A request of the pool as the one client span of all that it takes. */
function httpSingle(calls: OutgoingCalls): Operation<Message>[] {
  const isPart = calls.covers.bind(calls)
  return [
    operation('http:request', {
      name: ({ method = 'GET' }) => methodName(method),
      options: ({ method = 'GET', origin = '', path = '/' }) => ({
        kind: SpanKind.CLIENT,
        attributes: { ...methodAttributes(method), ...serverAttributes(origin, path) },
      }),
      started: span => calls.add(span),
      finish: (span, { statusCode, attempts = 1 }) => {
        if (statusCode !== undefined) setHttpStatus(span, statusCode, 400)
        if (attempts > 1) span.setAttribute('http.request.resend_count', attempts - 1)
      },
    }),
    { ...LIMIT_WAIT, isPart },
  ]
}

/**
 * Spans from every Millrace package, and an event on the active span for each refusal of a limiter.
 *
 * @param calls where it is to be told of requests that are one span each; undefined for one span per step
 */
export function traceMillrace(
  tracer: Tracer,
  roots: boolean,
  calls: OutgoingCalls | undefined,
): () => void {
  const http = calls === undefined ? [...HTTP_DETAILED, LIMIT_WAIT] : httpSingle(calls)
  const undo = [...OPERATIONS, ...http].map(each => traceOperation(tracer, each, roots))
  const refusals = channel('millrace:limit:refuse:end')
  const onRefusal = (message: unknown): void => {
    const { limiter, retryAfter, error } = message as Message
    activeContext().span?.addEvent('limit.refuse', {
      'millrace.limit.name': limiter,
      'millrace.limit.retry_after': retryAfter,
      'error.type': error === undefined ? undefined : errorType(error),
    })
  }
  refusals.subscribe(onRefusal)
  return () => {
    for (const each of undo) each()
    refusals.unsubscribe(onRefusal)
  }
}

function operation(
  name: string,
  rest: Pick<Operation<Message>, 'name' | 'options' | 'started' | 'finish'>,
): Operation<Message> {
  return { start: `millrace:${name}:start`, ends: [`millrace:${name}:end`], ...rest }
}
