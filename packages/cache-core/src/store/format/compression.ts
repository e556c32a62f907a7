import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib'

/** How values are compressed: `zstd` is the best choice unless the bytes are read by something that lacks it. */
export type Algorithm = 'zstd' | 'gzip' | 'brotli'

/** When and how a store compresses. */
export interface CompressionOptions {
  /** Default `'zstd'`. */
  readonly algorithm?: Algorithm | undefined
  /** Encoded values of at least this many bytes are compressed, >= 0. Default 1,024: below, the gain is a few bytes. */
  readonly threshold?: number | undefined
  /** Effort: 1 to 19 for zstd, 1 to 9 for gzip, 0 to 11 for brotli. Default: 3, 6 and 4. */
  readonly level?: number | undefined
}

interface Method {
  /** First byte of the packed value. Never reused for something else. */
  readonly id: number
  readonly levels: readonly [lowest: number, highest: number, preset: number]
  compress(bytes: Uint8Array, level: number): Uint8Array
  decompress(bytes: Uint8Array, maxOutputLength: number): Uint8Array
}

/** Encoded values as they are. */
export const UNCOMPRESSED = 0

/** Compression methods by name. The calls are synchronous: for most values zstd takes less than the way to a thread and back. */
export const methods: Readonly<Record<Algorithm, Method>> = {
  zstd: {
    id: 1,
    levels: [1, 19, 3],
    compress: (bytes, level) =>
      zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }),
    decompress: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
  },
  gzip: {
    id: 2,
    levels: [1, 9, 6],
    compress: (bytes, level) => gzipSync(bytes, { level }),
    decompress: (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength }),
  },
  brotli: {
    id: 3,
    levels: [0, 11, 4],
    compress: (bytes, level) =>
      brotliCompressSync(bytes, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: level,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      }),
    decompress: (bytes, maxOutputLength) => brotliDecompressSync(bytes, { maxOutputLength }),
  },
}

/** The method that packed a value, whatever the store compresses with now. */
export function methodById(id: number): Method | undefined {
  return Object.values(methods).find(method => method.id === id)
}
