import type { RetryPolicy } from '../retry/retry-policy.ts'

/** The resolved policy of a call: one object shared by all calls that change nothing. Times in ms, 0 for none. */
export interface CallPolicy {
  readonly acquireTimeout: number
  readonly headersTimeout: number
  readonly bodyTimeout: number
  readonly totalTimeout: number
  /** `bodyTimeout` was given, and is no default: it holds for event streams too. */
  readonly hasOwnBodyTimeout: boolean
  readonly maxRedirects: number
  readonly maxResponseSize: number
  readonly retry: RetryPolicy | undefined
  /** The call asks for retries itself, whatever its method. */
  readonly retryAnyMethod: boolean
}
