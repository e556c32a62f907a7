export { type IgnoredPaths, type RequestHead, type RouteFinder, setHttpRoute } from '@millrace/kit'
export {
  CHANNEL_OPERATIONS,
  type ChannelOperation,
  type ChannelOptions,
  instrumentChannels,
} from './collect/channels.ts'
export {
  EventMetrics,
  type EventMetricsOptions,
  IGNORED,
  UNHANDLED,
} from './collect/event-metrics.ts'
export type { HttpServerMetricsOptions } from './collect/http-server.ts'
export { collectRuntime, type RuntimeOptions } from './collect/runtime.ts'
