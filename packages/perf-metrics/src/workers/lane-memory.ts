import { MetricsSnapshotError } from '../errors.ts'

/**
 * The layout of the shared memory: a header, then lanes of equal size. A lane has one writer, so an increment needs no
 * atomic operation; readers see each double whole, as it is aligned.
 *
 *     header   Int32: magic, lanes, cells per lane, directory bytes per lane
 *     states   Int32 per lane: owner (0 free, else thread id + 1), directory length, cells used, fence, unshared
 *     lanes    Float64 × cells, then directory bytes: length-prefixed JSON, one record per series
 */
const MAGIC = 0x6d6c_7231
const HEADER = 4
const STATE = 5

export const OWNER = 0
export const DIRECTORY_LENGTH = 1
export const CELLS_USED = 2
/** Written to order what is written beside it. */
export const FENCE = 3
/** Series that had no room and are not shared. */
export const UNSHARED = 4

export interface Lane {
  readonly index: number
  /** The lane's fields by {@link OWNER} and so on, for `Atomics`. */
  readonly state: Int32Array
  readonly cells: Float64Array
  readonly directory: Uint8Array
}

export function createLaneMemory(
  lanes: number,
  cells: number,
  directoryBytes: number,
): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(
    lanesOffset(lanes) + lanes * laneBytes(cells, directoryBytes),
  )
  new Int32Array(buffer, 0, HEADER).set([MAGIC, lanes, cells, directoryBytes])
  return buffer
}

/** @throws MetricsSnapshotError unless `createLaneMemory` made the buffer */
export function lanesOf(buffer: SharedArrayBuffer): Lane[] {
  const shared = buffer instanceof SharedArrayBuffer && buffer.byteLength >= HEADER * 4
  const [magic, count, cells, directoryBytes] = shared ? new Int32Array(buffer, 0, HEADER) : []
  if (magic !== MAGIC) throw new MetricsSnapshotError('The buffer holds no metrics lanes')
  return Array.from({ length: count! }, (_, index) => {
    const start = lanesOffset(count!) + index * laneBytes(cells!, directoryBytes!)
    return {
      index,
      state: new Int32Array(buffer, (HEADER + index * STATE) * 4, STATE),
      cells: new Float64Array(buffer, start, cells),
      directory: new Uint8Array(buffer, start + cells! * 8, directoryBytes),
    }
  })
}

function lanesOffset(lanes: number): number {
  return Math.ceil(((HEADER + lanes * STATE) * 4) / 8) * 8
}

function laneBytes(cells: number, directoryBytes: number): number {
  return cells * 8 + Math.ceil(directoryBytes / 8) * 8
}
