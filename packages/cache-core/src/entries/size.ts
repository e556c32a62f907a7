export { approximateBytes } from '../size/approximate-bytes.ts'
export {
  type CreateRelief,
  type MemoryPressureOptions,
  memoryPressure,
} from '../size/memory-pressure.ts'
export { type PresetName, presets } from '../size/presets.ts'
