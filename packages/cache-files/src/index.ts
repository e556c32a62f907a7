export type { Clock } from './clock.ts'
export type { FileReadReason } from './errors.ts'
export {
  ContextEndedError,
  CycleError,
  FileReadError,
  InvalidOptionError,
  UnsettledError,
} from './errors.ts'
export type { Derived, FactsOptions, FactsStats } from './facts/facts.ts'
export { Facts } from './facts/facts.ts'
export type { GraphOptions, GraphStats } from './graph/graph.ts'
export { Graph } from './graph/graph.ts'
export type { PathKind, Query, QueryContext, QueryOptions } from './graph/query.ts'
export type { TraceRecord } from './graph/trace-record.ts'
export type {
  ParseCacheOptions,
  ParseCacheStats,
  Parsed,
  ParseSource,
} from './parse/parse-cache.ts'
export { ParseCache } from './parse/parse-cache.ts'
export type { ParseMessage } from './parse/parse-channels.ts'
export type { FileContent, FileTableOptions, FileTableStats } from './table/file-table.ts'
export { FileTable } from './table/file-table.ts'
