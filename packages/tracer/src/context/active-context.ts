import type { AsyncLocalStorage } from 'node:async_hooks'
import type { Channel } from 'node:diagnostics_channel'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { Baggage } from './baggage.ts'

/**
 * What is active in one asynchronous flow. Immutable to everyone but {@link runUntraced} and wrappers of synchronous functions: a synchronous span puts itself
 * into `span` and takes itself out before it returns, which costs two stores instead of a new asynchronous context.
 */
export class ActiveContext {
  span: TracerSpan | null
  readonly baggage: Baggage | null
  /** The `@opentelemetry/api` Context this one was made from, for the keys of other libraries. */
  readonly foreign: unknown
  /** Nothing is traced here: the exporter's own requests. */
  suppressed: boolean

  constructor(
    span: TracerSpan | null,
    baggage: Baggage | null,
    foreign: unknown = null,
    suppressed = false,
  ) {
    this.span = span
    this.baggage = baggage
    this.foreign = foreign
    this.suppressed = suppressed
  }

  /** The same context with another span. */
  withSpan(span: TracerSpan | null): ActiveContext {
    return new ActiveContext(span, this.baggage, this.foreign, this.suppressed)
  }
}

/** The one store of the process: further ones would slow every await on Node 22, and every `run` on Node 24. */
const storage: AsyncLocalStorage<ActiveContext> = newStorage()

function newStorage(): AsyncLocalStorage<ActiveContext> {
  // Not imported: the loader makes a module with all its names of it, which takes a good part of the time that this package has to start.
  const { AsyncLocalStorage } = process.getBuiltinModule('node:async_hooks')
  return new AsyncLocalStorage<ActiveContext>()
}

/** What is active outside every `run`. */
const ROOT = new ActiveContext(null, null)

/** Keeps what is active for somebody else's store as it is for ours, and the other way round. */
export interface ContextBridge {
  /** What is active, where `own` is what the tracer itself made active last. */
  active(own: ActiveContext): ActiveContext
  /** Runs `fn` with `context` in both stores. */
  run<T>(context: ActiveContext, fn: () => T): T
}

/** None, unless another asynchronous store tells what is active as well. */
let bridge: ContextBridge | null = null

export function setBridge(next: ContextBridge | null): void {
  bridge = next
}

/** What the tracer's own store holds, whatever else is active. */
export function ownContext(): ActiveContext {
  return storage.getStore() ?? ROOT
}

/** Runs `fn` with `context` in the tracer's own store alone. */
export function runInOwn<T>(context: ActiveContext, fn: () => T): T {
  return storage.run(context, fn)
}

export function activeContext(): ActiveContext {
  const own = storage.getStore() ?? ROOT
  return bridge === null ? own : bridge.active(own)
}

/** Runs `fn` with `context`, in it and in everything asynchronous that it starts. Benchmark case: "active span". */
export function runWith<T>(context: ActiveContext, fn: () => T): T {
  return bridge === null ? storage.run(context, fn) : bridge.run(context, fn)
}

/** Makes `context` active for the rest of this asynchronous flow. */
export function enter(context: ActiveContext): void {
  storage.enterWith(context)
}

/** Makes what `transform` returns active while a message of `channel` runs its stores. Returns what undoes it. */
export function bindChannel(
  channel: Channel,
  transform: (message: unknown) => ActiveContext,
): () => void {
  channel.bindStore(storage, transform as (message: unknown) => ActiveContext)
  return () => channel.unbindStore(storage)
}

/** Shared by all exporters, so that nothing of the flow which happens to hand spans on stays reachable. */
const EXPORTING = new ActiveContext(null, null, null, true)

/** Runs what an exporter does: with tracing off, as each of its calls would make the next span, and apart from the flow that called. */
export function runExporting<T>(fn: () => T): T {
  return runWith(EXPORTING, fn)
}

/** As {@link runExporting}, for what is synchronous: two stores instead of a new asynchronous context. Benchmark case: "wrapped function". */
export function runUntraced<T>(fn: () => T): T {
  if (bridge !== null) return runExporting(fn)
  const context = activeContext()
  const { span, suppressed } = context
  context.span = null
  context.suppressed = true
  try {
    return fn()
  } finally {
    context.span = span
    context.suppressed = suppressed
  }
}

/** Runs `fn` with tracing off. */
export function suppressTracing<T>(fn: () => T): T {
  const { span, baggage, foreign } = activeContext()
  return runWith(new ActiveContext(span, baggage, foreign, true), fn)
}
