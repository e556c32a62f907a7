import { isGenerator, isThenable, watchGenerator } from '@millrace/kit'
import { activeContext, runWith } from '../context/active-context.ts'
import { type Span, StatusCode } from '../span/api/span.ts'
import { errorMessage, errorType } from '../span/recorded/exception-facts.ts'
import type { TracerSpan } from '../span/tracer-span.ts'

/**
 * Ends `span`, which is active, when `result` is there: at once, when the promise settles, or when the generator is done. Returns what
 * the caller should see.
 */
export function endWith<T>(span: TracerSpan, result: T): T {
  if (!isThenable(result)) return endDone(span, result)
  let settled: unknown
  try {
    settled = result.then(
      value => endDone(span, value),
      error => {
        fail(span, error)
        throw error
      },
    )
  } catch (error) {
    // A `then` of the program's own that throws: whoever awaits it sees that, too.
    fail(span, error)
    return result
  }
  // The caller gets a promise that settles after the span has ended, so that awaiting it and then flushing exports it. Not every `then`
  // makes one.
  return isThenable(settled) ? (settled as T) : result
}

/** Ends `span`, unless all that was done so far is to make a generator. */
function endDone<T>(span: TracerSpan, result: T): T {
  if (isGenerator(result)) {
    const context = activeContext().withSpan(span)
    return watchGenerator(result, {
      step: run => runWith(context, run),
      done: () => span.end(),
      failed: error => fail(span, error),
    })
  }
  span.end()
  return result
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
