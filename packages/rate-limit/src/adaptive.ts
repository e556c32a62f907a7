export type { AdaptivePermit, Outcome } from './adaptive/adaptive-permit.ts'
export {
  AdaptiveSemaphore,
  type AdaptiveSemaphoreOptions,
  type AdaptiveSemaphoreStats,
} from './adaptive/adaptive-semaphore.ts'
export { Aimd, type AimdOptions } from './adaptive/aimd.ts'
export { Gradient, type GradientOptions } from './adaptive/gradient.ts'
export type { LimitAlgorithm, LoadSample } from './adaptive/limit-algorithm.ts'
