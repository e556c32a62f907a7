import { isError } from '@millrace/kit'
import type { Attributes } from '../api/span.ts'

/** What the semantic conventions want to know of an exception. */
interface ExceptionFacts {
  type: string
  message: string
  /** Empty where there is none. */
  stack: string
}

/**
 * What is known of an exception now: its owner may change it later, the stack included, as libraries that add to messages do.
 * Anything can be thrown, getters included, so nothing here may throw.
 */
function exceptionFacts(error: unknown): ExceptionFacts {
  const facts: ExceptionFacts = { type: '', message: '', stack: '' }
  if (typeof error !== 'object' || error === null) {
    facts.message = errorMessage(error)
    return facts
  }
  const code = read(error, 'code')
  // As in OpenTelemetry: the code, where there is one, says more than the class.
  const says = (typeof code === 'string' || typeof code === 'number') && Boolean(code)
  facts.type = says ? String(code) : text(read(error, 'name'))
  facts.message = text(read(error, 'message'))
  facts.stack = text(read(error, 'stack'))
  return facts
}

/** A property; undefined where its getter throws, which says nothing of the others. */
function read(error: object, key: string): unknown {
  try {
    return (error as Record<string, unknown>)[key]
  } catch {
    return undefined
  }
}

/** The attributes of an `exception` event. */
export function exceptionAttributes(error: unknown): Attributes {
  const { type, message, stack } = exceptionFacts(error)
  return {
    'exception.type': type === '' ? undefined : type,
    'exception.message': message === '' ? undefined : message,
    'exception.stacktrace': stack === '' ? undefined : stack,
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
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
    return isError(error) ? String(error.message) : String(error)
  } catch {
    return ''
  }
}
