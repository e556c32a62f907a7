import { channel } from 'node:diagnostics_channel'
import { ActiveContext, activeContext, bindChannel } from '../context/active-context.ts'
import type { Span, SpanOptions } from '../span/api/span.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { fail } from '../wrap/run-span.ts'

/** How the messages of one operation become spans. */
export interface Operation<Message> {
  /** Channel whose `runStores` surrounds the work. */
  readonly start: string
  /** Channels that tell of the end, with the same message; the first one counts. */
  readonly ends: readonly string[]
  name(message: Message): string
  options(message: Message): SpanOptions
  /** Whether the operation is part of what the active span stands for, and makes none of its own. Default: never */
  isPart?(active: TracerSpan | null): boolean
  /** Learns of the span that was made. */
  started?(span: TracerSpan): void
  /** Adds what is known at the end only. */
  finish?(span: Span, message: Message): void
}

interface Failing {
  error?: unknown
}

/** Whether spans may begin here: inside another span, unless roots are wanted. */
export function mayStart(context: ActiveContext, roots: boolean): boolean {
  return !context.suppressed && (roots || context.span !== null)
}

/**
 * Makes a span of every message that runs its stores on the start channel, and makes it active there, so that whatever the
 * work starts becomes its child. Returns what undoes it.
 */
export function traceOperation<Message extends object & Failing>(
  tracer: Tracer,
  operation: Operation<Message>,
  roots: boolean,
): () => void {
  const running = new WeakMap<Message, TracerSpan>()
  const undo = bindChannel(channel(operation.start), message => {
    const active = activeContext()
    if (!mayStart(active, roots) || operation.isPart?.(active.span) === true) return active
    const subject = message as Message
    const span = tracer.startUnder(operation.name(subject), active.span, operation.options(subject))
    running.set(subject, span)
    operation.started?.(span)
    return new ActiveContext(span, active.baggage, active.foreign)
  })
  const onEnd = (message: unknown): void => {
    const subject = message as Message
    const span = running.get(subject)
    if (span === undefined) return
    running.delete(subject)
    if (span.isRecording()) operation.finish?.(span, subject)
    if (subject.error !== undefined && subject.error !== null) fail(span, subject.error)
    else span.end()
  }
  for (const end of operation.ends) channel(end).subscribe(onEnd)
  return () => {
    undo()
    for (const end of operation.ends) channel(end).unsubscribe(onEnd)
  }
}
