import {
  checkBoolean,
  checkMethods,
  checkOneOf,
  checkOptions,
  type OptionNames,
} from '@millrace/kit'
import type { Tracer } from '../tracer/tracer.ts'
import { traceHttpClient } from './http-client.ts'
import { checkHttpServer, type HttpServerOptions, traceHttpServer } from './http-server.ts'
import { traceIoredis } from './ioredis.ts'
import { traceMillrace } from './millrace.ts'
import { OutgoingCalls } from './outgoing-calls.ts'
import { traceUndici } from './undici.ts'

export interface InstrumentOptions {
  /** Requests that servers of node:http and node:http2 receive. They are roots, or continue the caller's trace. Default: true */
  readonly httpServer?: boolean | HttpServerOptions | undefined
  /** Requests by node:http and node:https. Default: true */
  readonly httpClient?: boolean | undefined
  /** Requests by undici and Node's `fetch`. Default: true */
  readonly undici?: boolean | undefined
  /** Commands of ioredis 6. Default: true */
  readonly ioredis?: boolean | undefined
  /** Operations of the other Millrace packages. Default: true */
  readonly millrace?: boolean | undefined
  /**
   * Spans of a request by `@millrace/http-pool`: `single` is one client span, with `http.request.resend_count`; `detailed` shows the
   * request, each attempt, each wait for a permit, and the client's request below. Default: 'detailed'
   */
  readonly outgoing?: 'single' | 'detailed' | undefined
  /**
   * Whether client calls and operations outside every span begin traces of their own. Otherwise background work makes no
   * spans. Default: false
   */
  readonly roots?: boolean | undefined
}

const NAMES: OptionNames<InstrumentOptions> = {
  httpServer: true,
  httpClient: true,
  undici: true,
  ioredis: true,
  millrace: true,
  outgoing: true,
  roots: true,
}

/** A running instrumentation. */
export interface Instrumentation extends Disposable {
  /** Stops making spans; those that run end as usual. */
  close(): void
}

/**
 * Makes spans from diagnostics channels. Nothing is patched: libraries publish what they do, and publish nothing without
 * subscribers. Arguments, keys, queries and bodies are never recorded.
 *
 * @throws InvalidOptionError for an option that is unknown or cannot work
 */
export function instrument(tracer: Tracer, options: InstrumentOptions = {}): Instrumentation {
  checkMethods('tracer', tracer, 'a Tracer', ['startUnder'])
  const { httpServer, outgoing = 'detailed', ...switches } = checkOptions('', options, NAMES)
  for (const [name, value] of Object.entries(switches)) {
    if (value !== undefined) checkBoolean(name, value)
  }
  checkOneOf('outgoing', outgoing, ['single', 'detailed'])
  const server = typeof httpServer === 'object' ? httpServer : {}
  if (typeof httpServer === 'object') checkHttpServer(httpServer)
  else if (httpServer !== undefined) checkBoolean('httpServer', httpServer)

  const { roots = false } = options
  const undo: (() => void)[] = []
  if (tracer.enabled) {
    const calls = new OutgoingCalls()
    const single = outgoing === 'single' ? calls : undefined
    if (httpServer !== false) undo.push(traceHttpServer(tracer, server))
    if (options.httpClient ?? true) undo.push(traceHttpClient(tracer, roots))
    if (options.undici ?? true) undo.push(traceUndici(tracer, roots, calls))
    if (options.ioredis ?? true) undo.push(traceIoredis(tracer, roots))
    if (options.millrace ?? true) undo.push(traceMillrace(tracer, roots, single))
  }
  const close = (): void => {
    for (const each of undo.splice(0)) each()
  }
  return { close, [Symbol.dispose]: close }
}
