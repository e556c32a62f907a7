import type { Tracer } from '../tracer/tracer.ts'
import { traceHttpClient, traceHttpServer } from './http.ts'
import { traceIoredis } from './ioredis.ts'
import { traceMillrace } from './millrace.ts'
import { traceUndici } from './undici.ts'

export interface InstrumentOptions {
  /** Requests that node:http servers receive. They are roots, or continue the caller's trace. Default: true */
  readonly httpServer?: boolean | undefined
  /** Requests by node:http and node:https. Default: true */
  readonly httpClient?: boolean | undefined
  /** Requests by undici and Node's `fetch`. Default: true */
  readonly undici?: boolean | undefined
  /** Commands of ioredis 6. Default: true */
  readonly ioredis?: boolean | undefined
  /** Operations of the other Millrace packages. Default: true */
  readonly millrace?: boolean | undefined
  /**
   * Whether client calls and operations outside every span begin traces of their own. Otherwise background work makes no
   * spans. Default: false
   */
  readonly roots?: boolean | undefined
}

/** A running instrumentation. */
export interface Instrumentation extends Disposable {
  /** Stops making spans; those that run end as usual. */
  close(): void
}

/**
 * Makes spans from diagnostics channels. Nothing is patched: libraries publish what they do, and publish nothing without
 * subscribers. Arguments, keys, queries and bodies are never recorded.
 */
export function instrument(tracer: Tracer, options: InstrumentOptions = {}): Instrumentation {
  const { roots = false } = options
  const undo: (() => void)[] = []
  if (tracer.enabled) {
    if (options.httpServer ?? true) undo.push(traceHttpServer(tracer))
    if (options.httpClient ?? true) undo.push(traceHttpClient(tracer, roots))
    if (options.undici ?? true) undo.push(traceUndici(tracer, roots))
    if (options.ioredis ?? true) undo.push(traceIoredis(tracer, roots))
    if (options.millrace ?? true) undo.push(traceMillrace(tracer, roots))
  }
  const close = (): void => {
    for (const each of undo.splice(0)) each()
  }
  return { close, [Symbol.dispose]: close }
}
