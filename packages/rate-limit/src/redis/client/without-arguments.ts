/**
 * A client's error by its name, code and message alone: ioredis adds the command with its arguments, among which are users' keys, to it
 * and to those that it holds, and Redis tells the first arguments of a command that it does not know.
 */
export function withoutArguments(cause: unknown): unknown {
  if (!(cause instanceof Error)) return undefined
  const { name, message, code } = cause as Error & { readonly code?: unknown }
  const error = new Error(message.replace(/,? with args beginning with.*/s, ''))
  error.name = name
  return typeof code === 'string' ? Object.assign(error, { code }) : error
}
