import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { AttemptMessage } from '@millrace/http-pool'
import type { LimitMessage } from '@millrace/rate-limit'
import type { Span } from '@millrace/tracer'
import type { Telemetry } from './telemetry.ts'

/**
 * Turns what packages publish into spans and timings: waits for the limiter, attempts of the pool, parses of files. They know
 * nothing of tracer and metrics; the names of channels are all that connects them.
 */
export function watchChannels({ tracer, timings }: Telemetry): Disposable {
  const undo = [
    operation<LimitMessage>('millrace:limit:wait', {
      start: () => tracer.startSpan('limiter wait'),
      end: ({ waited }) => timings.wait.record(waited ?? 0),
    }),
    operation<AttemptMessage>('millrace:http:attempt', {
      start: ({ attempt }) => tracer.startSpan(`attempt ${attempt}`),
      end: ({ attempt, statusCode, phases, error }, span) => {
        if (statusCode !== undefined) span.updateName(`attempt ${attempt}: ${statusCode}`)
        const { queue = 0, connect = 0, ttfb = 0, body = 0 } = phases
        timings.attempt.record(queue + connect + ttfb + body, error !== undefined)
        span.setAttributes({ queue, connect, ttfb, body })
      },
    }),
    operation<object>('millrace:files:parse', {
      start: () => tracer.startSpan('parse'),
      end: () => undefined,
    }),
  ]
  return {
    [Symbol.dispose]() {
      for (const stop of undo) stop()
    },
  }
}

interface Watcher<Message> {
  /** Runs where the operation begins, so that the span's parent is the caller's. */
  start(message: Message): Span
  end(message: Message, span: Span): void
}

function operation<Message extends object>(name: string, { start, end }: Watcher<Message>) {
  // Both channels carry the same object, which is what joins an end to its start.
  const running = new WeakMap<object, Span>()
  const onStart = (message: unknown) => {
    running.set(message as Message, start(message as Message))
  }
  const onEnd = (message: unknown) => {
    const span = running.get(message as Message)
    if (span === undefined) return
    const { error } = message as { error?: unknown }
    if (error !== undefined) span.setStatus({ code: 2 })
    end(message as Message, span)
    span.end()
  }
  subscribe(`${name}:start`, onStart)
  subscribe(`${name}:end`, onEnd)
  return () => {
    unsubscribe(`${name}:start`, onStart)
    unsubscribe(`${name}:end`, onEnd)
  }
}
