/** Writes what is to travel with an attempt, such as a trace context, into its headers. */
export type InjectHeaders = (headers: Record<string, string>, attempt: InjectContext) => void

export interface InjectContext {
  readonly method: string
  readonly origin: string
  readonly path: string
  /** From 1. */
  readonly attempt: number
}
