export {
  CHANNEL_OPERATIONS,
  type ChannelOperation,
  instrumentChannels,
} from './collect/channels.ts'
export {
  EventMetrics,
  type EventMetricsOptions,
  IGNORED,
  UNHANDLED,
} from './collect/event-metrics.ts'
export { collectRuntime, type RuntimeOptions } from './collect/runtime.ts'
