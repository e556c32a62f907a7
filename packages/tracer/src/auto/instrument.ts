import type { Tracer } from '../tracer.ts'
import { traceHttpClient, traceHttpServer } from './http.ts'
import { traceIoredis } from './ioredis.ts'
import { traceMillrace } from './millrace.ts'
import { traceUndici } from './undici.ts'

export interface InstrumentOptions {
  /** Requests that node:http servers receive. They are roots, or continue the caller's trace. @default true */
  httpServer?: boolean
  /** Requests by node:http and node:https. @default true */
  httpClient?: boolean
  /** Requests by undici and Node's `fetch`. @default true */
  undici?: boolean
  /** Commands of ioredis 6. @default true */
  ioredis?: boolean
  /** Operations of the other Millrace packages. @default true */
  millrace?: boolean
  /**
   * Whether client calls and operations outside every span begin traces of their own. Otherwise background work makes no
   * spans. @default false
   */
  roots?: boolean
}

/** A running instrumentation. */
export interface Instrumentation extends Disposable {
  /** Stops making spans; those that run end as usual. */
  stop(): void
}

/**
 * Makes spans from diagnostics channels. Nothing is patched: libraries publish what they do, and publish nothing while nobody
 * listens. Arguments, keys, queries and bodies are never recorded.
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
  const stop = (): void => {
    for (const each of undo.splice(0)) each()
  }
  return { stop, [Symbol.dispose]: stop }
}
