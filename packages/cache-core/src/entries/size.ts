export { type Preset, type PresetName, presets } from '../cache/presets.ts'
export {
  AdaptiveSize,
  type AdaptiveSizeOptions,
  type SizableCache,
  type SizeChange,
} from '../size/adaptive-size.ts'
export { approximateBytes } from '../size/approximate-bytes.ts'
export {
  type MemoryPressureControl,
  type MemoryPressureFactory,
  type MemoryPressureOptions,
  type MemoryPressureTarget,
  memoryPressure,
} from '../size/memory-pressure.ts'
