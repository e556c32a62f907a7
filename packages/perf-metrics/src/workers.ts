export {
  ClusterReceiver,
  type ClusterReceiverStats,
  type MessageSource,
} from './cluster/cluster-receiver.ts'
export { ClusterSender, type ClusterSenderOptions } from './cluster/cluster-sender.ts'
export type { DeltaMessage, HistogramDelta, SeriesDelta } from './cluster/messages.ts'
export { LanesFullError, MetricsSnapshotError } from './errors.ts'
export type { CellStore } from './store/cells.ts'
export { claimLane } from './workers/lane-store.ts'
export {
  SharedLanes,
  type SharedLanesOptions,
  type SharedLanesStats,
} from './workers/shared-lanes.ts'
