import type { Codec } from '@millrace/cache-core/store'
import { ResultError } from '../errors.ts'
import { NoCanonicalForm } from '../value/canonical-bytes.ts'
import { fingerprintOf } from '../value/fingerprint.ts'
import { decodeValue, encodeValue } from '../value/value-codec.ts'

/** A result as a store keeps it, whatever the store's own codec is. */
export interface StoredResult {
  /** By which results are told apart. */
  readonly fingerprint: string
  /** The encoded result. */
  readonly value: string
  /** Checksum of the key and all the rest; filled in when it is stored. */
  readonly seal?: string | undefined
}

/**
 * The fingerprint of a result.
 *
 * @param query name, for the error
 * @throws {ResultError}
 */
export function resultFingerprint(query: string, value: unknown): string {
  try {
    return fingerprintOf(value)
  } catch (error) {
    if (error instanceof NoCanonicalForm)
      throw new ResultError(query, 'incomparable', { cause: error })
    throw error
  }
}

/**
 * Encodes a result and makes sure that it comes back as what it is.
 *
 * @param query name, for the error
 * @param fingerprint of a result that came back
 * @throws {ResultError}
 */
export function packResult(
  query: string,
  codec: Codec<unknown>,
  result: { readonly value: unknown; readonly fingerprint: string },
  fingerprint: (value: unknown) => string = value => resultFingerprint(query, value),
): StoredResult {
  let text: string
  let returned: unknown
  try {
    text = encodeValue(codec, result.value)
    returned = decodeValue(codec, text)
  } catch (error) {
    throw new ResultError(query, 'not-encodable', { cause: error })
  }
  if (!isSame(result.fingerprint, returned, fingerprint))
    throw new ResultError(query, 'not-preserved')
  return { fingerprint: result.fingerprint, value: text }
}

/** The result of a record, or `undefined` if it is damaged. */
export function unpackResult(
  codec: Codec<unknown>,
  record: StoredResult,
): { readonly value: unknown } | undefined {
  try {
    return { value: decodeValue(codec, record.value) }
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
