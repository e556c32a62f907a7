import { type Codec, structuredCodec } from '@millrace/cache-core/store'
import { ResultError } from '../errors.ts'
import { NoCanonicalForm } from '../value/canonical-bytes.ts'
import { identityOf } from '../value/fingerprint.ts'
import { decodeText, textOf } from '../value/value-codec.ts'

/** A result as a store keeps it, whatever the store's own codec is. */
export interface StoredResult {
  /** By which results are told apart. */
  readonly fingerprint: string
  /** The encoded result. */
  readonly value: string
  /** Checksum of the key and all the rest; filled in when it is stored. */
  readonly seal?: string | undefined
}

/** A result that was found to survive its codec. */
export interface EncodedResult {
  readonly fingerprint: string
  readonly encoded: Uint8Array
}

/**
 * The fingerprint of a result.
 *
 * @param query name, for the error
 * @throws {ResultError}
 */
export function resultFingerprint(query: string, value: unknown): string {
  return resultIdentity(query, value).fingerprint
}

/**
 * Encodes a result and makes sure that it comes back as what it is: by trying, unless its kind is known to.
 *
 * @param query name, for the error
 * @param own the query's own fingerprint, if it has one
 * @throws {ResultError}
 */
export function encodeResult(
  query: string,
  codec: Codec<unknown>,
  value: unknown,
  own?: (value: unknown) => string,
): EncodedResult {
  const { fingerprint, clones } = own
    ? { fingerprint: own(value), clones: false }
    : resultIdentity(query, value)
  let encoded: Uint8Array
  let returned: unknown
  const tried = !(clones && codec === structuredCodec)
  try {
    encoded = codec.encode(value)
    if (tried) returned = codec.decode(encoded)
  } catch (error) {
    throw new ResultError(query, 'not-encodable', { cause: error })
  }
  const print = own ?? ((result: unknown) => resultFingerprint(query, result))
  if (tried && !isSame(fingerprint, returned, print)) {
    throw new ResultError(query, 'not-preserved')
  }
  return { fingerprint, encoded }
}

/** The form in which a result is stored. */
export function storedResult({ fingerprint, encoded }: EncodedResult): StoredResult {
  return { fingerprint, value: textOf(encoded) }
}

/** The result of a record, or `undefined` if it is damaged. */
export function unpackResult(
  codec: Codec<unknown>,
  record: StoredResult,
): { readonly value: unknown } | undefined {
  try {
    return { value: decodeText(codec, record.value) }
  } catch {
    // Damaged, or of another codec: as good as not there.
    return undefined
  }
}

function isSame(
  expected: string,
  returned: unknown,
  fingerprint: (value: unknown) => string,
): boolean {
  try {
    return fingerprint(returned) === expected
  } catch {
    // What cannot even be compared is not what was stored.
    return false
  }
}

function resultIdentity(query: string, value: unknown): ReturnType<typeof identityOf> {
  try {
    return identityOf(value)
  } catch (error) {
    if (!(error instanceof NoCanonicalForm)) throw error
    throw new ResultError(query, 'incomparable', { cause: error })
  }
}
