export { type Clock, InvalidOptionError } from '@millrace/cache-core'
export type { CallOptions } from './call-options.ts'
export type { FileReadErrorOptions, FileReadReason, ResultProblem } from './errors.ts'
export {
  CacheFileError,
  ContextEndedError,
  CycleError,
  FileReadError,
  FilesStoreTimeoutError,
  GitError,
  GraphClosedError,
  NestedGetError,
  ParsePoolClosedError,
  ParseQueueFullError,
  ParseTimeoutError,
  QueryTimeoutError,
  ResultError,
  UnsettledError,
} from './errors.ts'
export type { Derived, FactsOptions, FactsStats } from './facts/facts.ts'
export { Facts } from './facts/facts.ts'
export { Graph } from './graph/graph.ts'
export type { GraphOptions } from './graph/graph-options.ts'
export type { GraphStats } from './graph/graph-stats.ts'
export type { DurableFolder } from './graph/inputs/durable-inputs.ts'
export type { Query, QueryContext, QueryOptions } from './graph/query.ts'
export type { TraceRecord } from './graph/trace/trace-record.ts'
export type {
  ParseCacheOptions,
  ParseCacheStats,
  Parsed,
  ParseSource,
} from './parse/parse-cache.ts'
export { ParseCache } from './parse/parse-cache.ts'
export type { ParseMessage } from './parse/parse-channels.ts'
export { ParsePool, type ParsePoolOptions, type ParsePoolStats } from './parse/parse-pool.ts'
export type { KeepingOptions } from './persist/keeping-options.ts'
export type { StoredResult } from './persist/stored-result.ts'
export type { FileStamp } from './table/file-stamp.ts'
export { FileTable } from './table/file-table.ts'
export type { FileTableOptions } from './table/file-table-options.ts'
export type { FileTableStats } from './table/file-table-stats.ts'
export type { FolderList } from './table/paths/folder-lists.ts'
export type { PathKind } from './table/paths/path-kind.ts'
export type { FileContent } from './table/read/file-content.ts'
export type { KnownFile } from './table/records/table-snapshot.ts'
export type { TableFault } from './table/table-faults.ts'
export type { ChangeFeed, ChangeReports } from './table/trust/change-feed.ts'
export { type OptionEffects, parserId, resultKey } from './value/result-key.ts'
export {
  type FileWarmProgress,
  type FileWarmReport,
  type WarmEnd,
  type WarmOptions,
  warm,
} from './warm/warm.ts'
export {
  type ChangedByGitOptions,
  changedByGit,
  changedFiles,
  dependencyOrder,
} from './warm/warm-orders.ts'
export { ManualSource } from './watch/manual-source.ts'
export {
  ResultStream,
  type ResultStreamOptions,
  type ResultStreamStats,
  type StreamedResult,
} from './watch/result-stream.ts'
export type { ChangeAllReason, ReportedChanges, WatchSource } from './watch/watch-source.ts'
export { type Tick, Watcher, type WatcherOptions, type WatcherStats } from './watch/watcher.ts'
export type { CacheFolderProblem } from './workspace/cache-folder.ts'
export { type FilePreset, type FilePresetName, filePresets } from './workspace/presets.ts'
export type {
  FindingProblem,
  WorkspaceFinding,
  WorkspaceValidationReport,
} from './workspace/validate.ts'
export {
  Workspace,
  type WorkspaceOptions,
  type WorkspaceWarmOptions,
} from './workspace/workspace.ts'
