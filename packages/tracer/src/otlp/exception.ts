import { errorMessage } from '../wrap/run-span.ts'

/** What the semantic conventions want to know of an exception. */
export interface ExceptionFacts {
  type: string
  message: string
  /** Empty where there is none. */
  stack: string
}

/**
 * Reads a recorded exception, at export. Formatting a stack costs microseconds, which is why spans keep the raw value.
 * Anything can be thrown, getters included, so nothing here may throw.
 */
export function exceptionFacts(error: unknown): ExceptionFacts {
  const facts: ExceptionFacts = { type: '', message: '', stack: '' }
  if (typeof error !== 'object' || error === null) {
    facts.message = errorMessage(error)
    return facts
  }
  try {
    const { name, code, stack, message } = error as Record<string, unknown>
    // As in OpenTelemetry: the code, where there is one, says more than the class.
    facts.type = code === undefined || code === null ? text(name) : String(code)
    facts.message = text(message)
    facts.stack = text(stack)
  } catch {
    // A getter threw; what was read before stays.
  }
  return facts
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
