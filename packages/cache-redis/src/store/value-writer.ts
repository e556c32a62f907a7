import {
  type LifetimeOptions,
  Lifetimes,
  type PackingOptions,
  type StoreItem,
  storableKey,
  ValuePacker,
} from '@millrace/cache-core/store'
import { checkInteger } from '@millrace/kit'
import { ValueTooLargeError } from '../errors.ts'
import { encodeBody, type StoredEntry, storableTags } from './entry-format.ts'

/** How values are written. */
export interface ValueOptions<V> extends LifetimeOptions, PackingOptions<V> {
  /** Bytes of the largest packed value that is stored or read, an integer from 1 to 512 MiB. Default: 64 MiB */
  readonly maxValueBytes?: number | undefined
}

/** A value on its way to Redis. */
export interface PreparedValue {
  /** Its key in storable form. */
  readonly stored: string
  readonly body: Buffer
  /** In ms, as script arguments. */
  readonly ttl: string | number
  readonly retention: string | number
}

/** Lua's way to write Infinity. */
const INFINITY = '1e999'
const DEFAULT_MAX_VALUE = 64 * 1024 * 1024
const REDIS_MAX_VALUE = 512 * 1024 * 1024

/** Turns values into bytes and back. */
export class ValueWriter<V> {
  readonly maxBytes: number
  readonly #packer: ValuePacker<V>
  readonly #lifetimes: Lifetimes
  readonly #includeKeys: boolean

  /** @throws {InvalidOptionError} */
  constructor(options: ValueOptions<V>, includeKeys: boolean) {
    const { codec, compression, ttl, retention, maxValueBytes = DEFAULT_MAX_VALUE } = options
    this.maxBytes = checkInteger('maxValueBytes', maxValueBytes, 1, REDIS_MAX_VALUE)
    this.#packer = new ValuePacker<V>({ codec, compression } as PackingOptions<V>)
    this.#lifetimes = new Lifetimes({ ttl, retention } as LifetimeOptions)
    this.#includeKeys = includeKeys
  }

  /**
   * @throws {InvalidOptionError} for lifetimes and tags out of bounds
   * @throws {ValueTooLargeError}
   * @throws what the codec throws
   */
  prepare(item: StoreItem<V>): PreparedValue {
    const { expires: ttl, retained } = this.#lifetimes.of(item, 0)
    const tags = item.tags === undefined ? [] : storableTags(item.tags)
    const packed = this.#packer.pack(item.value)
    if (packed.length > this.maxBytes) throw new ValueTooLargeError(packed.length, this.maxBytes)
    const stored = storableKey(item.key)
    const body = encodeBody(stored, tags, packed, this.#includeKeys)
    const retention = retained === Infinity ? INFINITY : retained - ttl
    return { stored, body, ttl: ttl === Infinity ? INFINITY : ttl, retention }
  }

  /** The value, or `undefined` for bytes of a codec that this store does not have. */
  unpack({ packed }: StoredEntry): { readonly value: V } | undefined {
    try {
      return { value: this.#packer.unpack(packed) }
    } catch {
      // A miss, counted by the caller.
      return undefined
    }
  }
}
