import {
  checkBoolean,
  checkMethods,
  type OptionRules,
  oneOf,
  resolveOptions,
  withDefault,
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

const SWITCH = withDefault(true, checkBoolean)

const OPTIONS: OptionRules<InstrumentOptions> = {
  httpServer: withDefault(true, checkServer),
  httpClient: SWITCH,
  undici: SWITCH,
  ioredis: SWITCH,
  millrace: SWITCH,
  outgoing: oneOf('detailed', 'single'),
  roots: withDefault(false, checkBoolean),
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
  const { httpServer, roots, ...traced } = resolveOptions('', options, OPTIONS)
  const undo: (() => void)[] = []
  if (tracer.enabled) {
    const calls = new OutgoingCalls()
    const single = traced.outgoing === 'single' ? calls : undefined
    if (httpServer !== false)
      undo.push(traceHttpServer(tracer, httpServer === true ? {} : httpServer))
    if (traced.httpClient) undo.push(traceHttpClient(tracer, roots))
    if (traced.undici) undo.push(traceUndici(tracer, roots, calls))
    if (traced.ioredis) undo.push(traceIoredis(tracer, roots))
    if (traced.millrace) undo.push(traceMillrace(tracer, roots, single))
  }
  const close = (): void => {
    for (const each of undo.splice(0)) each()
  }
  return { close, [Symbol.dispose]: close }
}

function checkServer(option: string, server: boolean | HttpServerOptions): typeof server {
  return typeof server === 'object' ? checkHttpServer(option, server) : checkBoolean(option, server)
}
