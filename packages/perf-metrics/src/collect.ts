export { type IgnoredPaths, type RouteFinder, setHttpRoute } from '@millrace/kit'
export {
  CHANNEL_OPERATIONS,
  type ChannelOperation,
  type ChannelOptions,
  type HttpServerMetricsOptions,
  instrumentChannels,
} from './collect/channels.ts'
export {
  EventMetrics,
  type EventMetricsOptions,
  IGNORED,
  UNHANDLED,
} from './collect/event-metrics.ts'
export { collectRuntime, type RuntimeOptions } from './collect/runtime.ts'
