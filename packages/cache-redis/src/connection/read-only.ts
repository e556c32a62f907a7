/** Whether a server refuses to write, as it is a replica: perhaps since a moment ago, under a connection that did not break. */
export function isReadOnly(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('READONLY')
}
