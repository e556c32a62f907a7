/** What was thrown, as a text. Anything may be thrown, so nothing is trusted: it is the type alone where even that fails. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return typeof thrown
  }
}
