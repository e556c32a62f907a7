import { isThenable } from '@millrace/kit'
import { type Span, StatusCode } from '../span/api/span.ts'
import { errorMessage, errorType } from '../span/recorded/exception-facts.ts'
import type { TracerSpan } from '../span/tracer-span.ts'

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
