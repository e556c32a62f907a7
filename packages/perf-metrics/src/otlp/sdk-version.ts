/** Put in by the build; absent where sources run as they are. */
declare const MILLRACE_METRICS_VERSION: string | undefined

/** The version of this package. */
export const SDK_VERSION: string =
  typeof MILLRACE_METRICS_VERSION === 'string' ? MILLRACE_METRICS_VERSION : '0.0.0'
