import type { ResponseHeaders } from '../handler.ts'
import type { CallPolicy } from '../request/call-policy.ts'

/** The longest time between two chunks, in ms; 0 means none. An event stream is silent for as long as nothing happens. */
export function bodyTimeout(
  { bodyTimeout, hasOwnBodyTimeout }: CallPolicy,
  { 'content-type': type }: ResponseHeaders,
): number {
  const isEndless = typeof type === 'string' && type.startsWith('text/event-stream')
  return isEndless && !hasOwnBodyTimeout ? 0 : bodyTimeout
}
