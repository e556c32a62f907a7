import { type Codec, structuredCodec } from '@millrace/cache-core/store'
import { ResultError } from '../errors.ts'
import { NoCanonicalForm } from '../value/canonical-form.ts'
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
  if (tried && !hasFingerprint(returned, fingerprint, print)) {
    throw new ResultError(query, 'not-preserved')
  }
  return { fingerprint, encoded }
}

/** The form in which a result is stored. */
export function storedResult({ fingerprint, encoded }: EncodedResult): StoredResult {
  return { fingerprint, value: textOf(encoded) }
}

/**
 * The result of a record, or `undefined` if it is damaged or of another codec. Bytes of `structuredCodec` are told by their form; of other
 * codecs, the two of two processes may read each other's bytes and make something else of them, so the result is compared.
 *
 * @param fingerprint of a result
 */
export function unpackResult(
  codec: Codec<unknown>,
  record: StoredResult,
  fingerprint: (value: unknown) => string,
): { readonly value: unknown } | undefined {
  let value: unknown
  try {
    value = decodeText(codec, record.value)
  } catch {
    // As good as not there.
    return undefined
  }
  const same = codec === structuredCodec || hasFingerprint(value, record.fingerprint, fingerprint)
  return same ? { value } : undefined
}

/** Whether a value is the one that got a fingerprint. */
export function hasFingerprint(
  value: unknown,
  expected: string,
  fingerprint: (value: unknown) => string,
): boolean {
  try {
    return fingerprint(value) === expected
  } catch {
    // What cannot even be compared is another one.
    return false
  }
}

function resultIdentity(query: string, value: unknown): ReturnType<typeof identityOf> {
  try {
    return identityOf(value)
  } catch (error) {
    // A value that is nested too deeply, or holds more than a text can, is not to be compared either.
    if (!(error instanceof NoCanonicalForm || error instanceof RangeError)) throw error
    throw new ResultError(query, 'incomparable', { cause: error })
  }
}
