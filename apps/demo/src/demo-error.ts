/** The main job could not run; its message is the one line to print. */
export class DemoError extends Error {
  override readonly name = 'DemoError'
  readonly code = 'ERR_MILLRACE_DEMO'
}
