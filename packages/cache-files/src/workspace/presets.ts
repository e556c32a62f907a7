import { memoryPressure } from '@millrace/cache-core/size'
import type { GraphOptions } from '../graph/graph-options.ts'
import type { ParseCacheOptions } from '../parse/parse-cache.ts'
import type { FileTableOptions } from '../table/file-table-options.ts'
import type { WarmOptions } from '../warm/warm.ts'

const MEBIBYTE = 2 ** 20
const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Names of the presets. */
export type FilePresetName = 'heavy' | 'interactive' | 'ci'

/** Options of all levels that go together. */
export interface FilePreset {
  readonly files: Pick<FileTableOptions, 'maxBytes' | 'memoryPressure'>
  readonly parse: Pick<ParseCacheOptions<unknown>, 'maxBytes' | 'maxEntries' | 'memoryPressure'>
  readonly graph: Pick<
    GraphOptions,
    'maxResults' | 'maxNodes' | 'retention' | 'cleanupInterval' | 'memoryPressure'
  >
  readonly warm: Pick<WarmOptions, 'workers' | 'timeLimit' | 'memoryLimit'> & {
    /** Steps along dependencies. */
    readonly depth: number
    /** Whether only what changed since the last run is warmed. */
    readonly changedOnly: boolean
  }
}

/**
 * Options to start from; spread one and override what is known better: `new Graph({ files, ...filePresets.ci.graph })`.
 * - `heavy`: analyses of whole trees: 100 MiB of contents, 1,000 MiB of trees, 7,500 values, 15,000 traces, kept for 48 hours
 * - `interactive`: editors and watch modes: 75 MiB, 500 MiB, 3,000, 8,000, 12 hours
 * - `ci`: machines with little memory and a short life: 50 MiB, 200 MiB, 2,000, 5,000, 2 hours; warms changed files, for 5 minutes at most
 *
 * Memory is given up from 70 % in use on, and no more taken from 85 % (`interactive`: 80, 90; `ci`: 60, 75).
 */
export const filePresets: Readonly<Record<FilePresetName, FilePreset>> = {
  heavy: {
    files: {
      maxBytes: 100 * MEBIBYTE,
      memoryPressure: memoryPressure({ shrinkAt: 0.7, stopAt: 0.85 }),
    },
    parse: {
      maxBytes: 1_000 * MEBIBYTE,
      maxEntries: 15_000,
      memoryPressure: memoryPressure({ shrinkAt: 0.7, stopAt: 0.85 }),
    },
    graph: {
      maxResults: 7_500,
      maxNodes: 15_000,
      retention: 48 * HOUR,
      cleanupInterval: 30 * MINUTE,
      memoryPressure: memoryPressure({ shrinkAt: 0.7, stopAt: 0.85 }),
    },
    warm: {
      depth: 3,
      workers: 6,
      timeLimit: Infinity,
      memoryLimit: Infinity,
      changedOnly: false,
    },
  },
  interactive: {
    files: {
      maxBytes: 75 * MEBIBYTE,
      memoryPressure: memoryPressure({ shrinkAt: 0.8, stopAt: 0.9 }),
    },
    parse: {
      maxBytes: 500 * MEBIBYTE,
      maxEntries: 10_000,
      memoryPressure: memoryPressure({ shrinkAt: 0.8, stopAt: 0.9 }),
    },
    graph: {
      maxResults: 3_000,
      maxNodes: 8_000,
      retention: 12 * HOUR,
      cleanupInterval: 15 * MINUTE,
      memoryPressure: memoryPressure({ shrinkAt: 0.8, stopAt: 0.9 }),
    },
    warm: {
      depth: 3,
      workers: 4,
      timeLimit: 30_000,
      memoryLimit: 1_024 * MEBIBYTE,
      changedOnly: false,
    },
  },
  ci: {
    files: {
      maxBytes: 50 * MEBIBYTE,
      memoryPressure: memoryPressure({ shrinkAt: 0.6, stopAt: 0.75 }),
    },
    parse: {
      maxBytes: 200 * MEBIBYTE,
      maxEntries: 10_000,
      memoryPressure: memoryPressure({ shrinkAt: 0.6, stopAt: 0.75 }),
    },
    graph: {
      maxResults: 2_000,
      maxNodes: 5_000,
      retention: 2 * HOUR,
      cleanupInterval: 5 * MINUTE,
      memoryPressure: memoryPressure({ shrinkAt: 0.6, stopAt: 0.75 }),
    },
    warm: {
      depth: 1,
      workers: 2,
      timeLimit: 5 * MINUTE,
      memoryLimit: 512 * MEBIBYTE,
      changedOnly: true,
    },
  },
}
