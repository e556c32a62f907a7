/** The instrumentation scope that exports name. */
export const SCOPE_NAME = '@millrace/perf-metrics'
