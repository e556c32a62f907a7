export { AccessOrder, type AccessOrderOptions } from '../warm/access-order.ts'
export {
  AccessPredictor,
  type AccessPredictorOptions,
  type Prediction,
  type PredictionOptions,
} from '../warm/access-predictor.ts'
export { alongDependencies, type DependenciesOf } from '../warm/along-dependencies.ts'
export { DependenciesError } from '../warm/dependencies-error.ts'
export {
  type WarmCounts,
  Warmer,
  type WarmerOptions,
  type WarmProgress,
  type WarmReport,
} from '../warm/warmer.ts'
