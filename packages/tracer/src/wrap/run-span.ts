import type { TracerSpan } from '../span/base-span.ts'
import { type Span, StatusCode } from '../span/span.ts'

/** Ends `span` when `result` is there: at once, or when the promise settles. Returns what the caller should see. */
export function endWith<T>(span: TracerSpan, result: T): T {
  if (!isThenable(result)) {
    span.end()
    return result
  }
  // The caller gets a promise that settles after the span has ended, so that awaiting it and then flushing exports it.
  return (result as unknown as PromiseLike<unknown>).then(
    value => {
      span.end()
      return value
    },
    error => {
      fail(span, error)
      throw error
    },
  ) as T
}

/** Records why the work failed and ends the span. */
export function fail(span: Span, error: unknown): void {
  if (span.isRecording()) {
    span.recordException(error)
    span.setAttribute('error.type', errorType(error))
    span.setStatus({ code: StatusCode.ERROR, message: errorMessage(error) })
  }
  span.end()
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

/** A low-cardinality name of an error: its code, else its class. Anything may be thrown, so nothing is trusted. */
export function errorType(error: unknown): string {
  try {
    const { code, name } = error as { code?: unknown; name?: unknown }
    if (typeof code === 'string' && code !== '') return code
    if (typeof name === 'string' && name !== '') return name
  } catch {
    // A throwing getter, or null: only the type is known.
  }
  return typeof error
}

export function errorMessage(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error)
  } catch {
    return ''
  }
}
