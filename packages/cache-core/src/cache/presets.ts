import { approximateBytes } from '../size/approximate-bytes.ts'
import { type MemoryPressureOptions, memoryPressure } from '../size/memory-pressure.ts'
import type { CacheOptions } from './cache-options.ts'

const MEBIBYTE = 2 ** 20

/** Names of the presets. */
export type PresetName = 'small' | 'development' | 'production' | 'ci'

/** What a preset sets. */
export type Preset = Omit<CacheOptions<unknown, unknown>, 'onRemove'>

/**
 * Options to start from; spread one and override what is known better:
 * `new Cache({ ...presets.production, maxBytes: 500 * 2 ** 20 })`.
 * - `small`: 256 entries, as `new Cache()` has
 * - `development`: 75 MiB; gives way from 80 % of the memory in use, stops growing at 90 %
 * - `production`: 100 MiB; 70 %, 85 %
 * - `ci`: 50 MiB, for machines with little memory; 60 %, 75 %
 */
export const presets: Readonly<Record<PresetName, Preset>> = presetsFor()

/** The presets, which give way by the share of memory that `usage` says is in use. */
export function presetsFor(
  usage?: MemoryPressureOptions['usage'],
): Readonly<Record<PresetName, Preset>> {
  const sized = (mebibytes: number, shrinkAt: number, stopAt: number): Preset => ({
    maxBytes: mebibytes * MEBIBYTE,
    weigher: approximateBytes,
    memoryPressure: memoryPressure({ shrinkAt, stopAt, usage }),
  })
  return {
    small: { maxEntries: 256 },
    development: sized(75, 0.8, 0.9),
    production: sized(100, 0.7, 0.85),
    ci: sized(50, 0.6, 0.75),
  }
}
