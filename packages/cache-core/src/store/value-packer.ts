import { InvalidOptionError } from '../errors.ts'
import { type Codec, jsonCodec } from './codec.ts'
import { type CompressionOptions, methodById, methods, UNCOMPRESSED } from './compression.ts'

/** How a store turns values into bytes. */
export interface PackingOptions<V> {
  /** Default {@link jsonCodec}. */
  readonly codec?: Codec<V>
  /** `true` for the defaults of {@link CompressionOptions}. Default: none. Values are read back whatever this says. */
  readonly compression?: CompressionOptions | boolean
}

/** Largest value that is unpacked, in bytes: a few bytes of damaged or hostile input must not become gigabytes. */
const LARGEST_VALUE = 256 * 1024 * 1024

/** Packs values as one byte that names the compression, then the encoded and perhaps compressed value. */
export class ValuePacker<V> {
  readonly #codec: Codec<V>
  readonly #threshold: number
  readonly #level: number
  readonly #method: (typeof methods)[keyof typeof methods]

  /** @throws {InvalidOptionError} */
  constructor({ codec = jsonCodec as Codec<V>, compression = false }: PackingOptions<V> = {}) {
    const chosen = compression === true ? {} : compression
    const { algorithm = 'zstd', threshold = 1_024, level } = chosen || {}
    if (!Object.hasOwn(methods, algorithm)) {
      throw new InvalidOptionError('compression.algorithm', "'zstd', 'gzip' or 'brotli'", algorithm)
    }
    if (!(threshold >= 0)) {
      throw new InvalidOptionError('compression.threshold', 'a number >= 0', threshold)
    }
    const method = methods[algorithm]
    const [lowest, highest, preset] = method.levels
    if (level !== undefined && !(Number.isInteger(level) && level >= lowest && level <= highest)) {
      const expected = `an integer from ${lowest} to ${highest} for ${algorithm}`
      throw new InvalidOptionError('compression.level', expected, level)
    }
    this.#codec = codec
    this.#method = method
    this.#threshold = chosen === false ? Infinity : threshold
    this.#level = level ?? preset
  }

  /** @throws what the codec throws for a value that it cannot encode */
  pack(value: V): Uint8Array {
    const plain = this.#codec.encode(value)
    if (plain.length >= this.#threshold) {
      const compressed = this.#method.compress(plain, this.#level)
      if (compressed.length < plain.length) return prefixed(this.#method.id, compressed)
    }
    return prefixed(UNCOMPRESSED, plain)
  }

  /** @throws if the bytes are damaged or of a compression that this version does not know */
  unpack(packed: Uint8Array): V {
    const id = packed[0]
    const body = packed.subarray(1)
    if (id === UNCOMPRESSED) return this.#codec.decode(body)
    const method = methodById(id ?? -1)
    if (method === undefined) throw new RangeError(`Unknown compression ${id}`)
    return this.#codec.decode(method.decompress(body, LARGEST_VALUE))
  }
}

function prefixed(id: number, bytes: Uint8Array): Uint8Array {
  const packed = Buffer.allocUnsafe(bytes.length + 1)
  packed[0] = id
  packed.set(bytes, 1)
  return packed
}
