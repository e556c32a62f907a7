import {
  checkInteger,
  checkMethods,
  checkNonNegativeOrInfinity,
  checkOneOf,
  checkOptions,
  heed,
  isThenable,
  type OptionNames,
} from '@millrace/kit'
import { UnencodableValueError } from '../contract/errors.ts'
import { bytesCodec, type Codec, jsonCodec, structuredCodec } from './codec.ts'
import {
  type Algorithm,
  type CompressionOptions,
  methodById,
  methods,
  UNCOMPRESSED,
} from './compression.ts'

/** How a store turns values into bytes. */
export interface PackingOptions<V> {
  /** How values become bytes. Default: {@link jsonCodec}. */
  readonly codec?: Codec<V> | undefined
  /** `true` for the defaults of {@link CompressionOptions}. Default: false. Values are read back whatever this says. */
  readonly compression?: CompressionOptions | boolean | undefined
}

const ALGORITHMS: readonly Algorithm[] = ['zstd', 'gzip', 'brotli']
const COMPRESSION_OPTIONS: OptionNames<CompressionOptions> = {
  algorithm: true,
  threshold: true,
  level: true,
}

/** The names of {@link PackingOptions}. */
export const PACKING_OPTIONS: OptionNames<PackingOptions<unknown>> = {
  codec: true,
  compression: true,
}

/** Largest value that is unpacked, in bytes: a few bytes of damaged or hostile input must not become gigabytes. */
const LARGEST_VALUE = 256 * 1024 * 1024

/** What says in the first byte by which codec a value was encoded; those of users count as one. Never reused for something else. */
const CODECS: readonly unknown[] = [jsonCodec, structuredCodec, bytesCodec]
const OTHER_CODEC = 3
const CODEC_SHIFT = 4
const COMPRESSION_MASK = 15

/**
 * Packs values as one byte that names the compression in its lower half and the codec in its upper one, then the encoded and perhaps
 * compressed value. There are codecs that read whatever bytes they are given.
 */
export class ValuePacker<V> {
  readonly #codec: Codec<V>
  readonly #codecId: number
  readonly #threshold: number
  readonly #level: number
  readonly #method: (typeof methods)[keyof typeof methods]

  /** @throws {InvalidOptionError} */
  constructor({ codec = jsonCodec as Codec<V>, compression = false }: PackingOptions<V> = {}) {
    checkMethods('codec', codec, 'a Codec', ['encode', 'decode'])
    if (typeof compression !== 'boolean') {
      checkOptions('compression', compression, COMPRESSION_OPTIONS)
    }
    const chosen = compression === true ? {} : compression
    const { algorithm = 'zstd', threshold = 1_024, level } = chosen || {}
    const method = methods[checkOneOf('compression.algorithm', algorithm, ALGORITHMS)]
    const [lowest, highest, preset] = method.levels
    checkNonNegativeOrInfinity('compression.threshold', threshold)
    if (level !== undefined) checkInteger('compression.level', level, lowest, highest)
    this.#codec = codec
    const known = CODECS.indexOf(codec)
    this.#codecId = known === -1 ? OTHER_CODEC : known
    this.#method = method
    this.#threshold = chosen === false ? Infinity : threshold
    this.#level = level ?? preset
  }

  /** @throws {UnencodableValueError} for `undefined`, promises, and what the codec throws for */
  pack(value: V): Uint8Array {
    const plain = this.#encode(value)
    if (plain.length >= this.#threshold) {
      const compressed = this.#method.compress(plain, this.#level)
      if (compressed.length < plain.length) return this.#prefixed(this.#method.id, compressed)
    }
    return this.#prefixed(UNCOMPRESSED, plain)
  }

  /** @throws if the bytes are damaged, of another codec, or of a compression that this version does not know */
  unpack(packed: Uint8Array): V {
    const first = packed[0] ?? -1
    if (first >> CODEC_SHIFT !== this.#codecId) throw new RangeError('Encoded by another codec')
    const id = first & COMPRESSION_MASK
    const body = packed.subarray(1)
    if (id === UNCOMPRESSED) return this.#decode(body)
    const method = methodById(id)
    if (method === undefined) throw new RangeError(`Unknown compression ${id}`)
    return this.#decode(method.decompress(body, LARGEST_VALUE))
  }

  #prefixed(method: number, bytes: Uint8Array): Uint8Array {
    const packed = Buffer.allocUnsafe(bytes.length + 1)
    packed[0] = (this.#codecId << CODEC_SHIFT) | method
    packed.set(bytes, 1)
    return packed
  }

  #encode(value: V): Uint8Array {
    // A promise that was not awaited would become an empty object.
    if (value === undefined || isThenable(value)) throw new UnencodableValueError()
    try {
      const bytes = this.#codec.encode(value)
      if (bytes instanceof Uint8Array && bytes.length <= LARGEST_VALUE) return bytes
      heed(bytes)
    } catch (cause) {
      throw new UnencodableValueError({ cause })
    }
    // More than is ever unpacked, or a codec that returns something else.
    throw new UnencodableValueError()
  }

  #decode(bytes: Uint8Array): V {
    const value = this.#codec.decode(bytes)
    if (value === undefined) throw new TypeError('Decoded `undefined`, which stands for no value')
    if (heed(value)) throw new TypeError('Decoded a promise, for which no store waits')
    return value
  }
}
