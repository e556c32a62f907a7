import { createHash, hash } from 'node:crypto'

/** Bytes that one call hashes at most: OpenSSL's lengths are int32. */
const CHUNK = 2 ** 30

/** SHA-256 in hex of bytes of any length. */
export function contentHash(bytes: Uint8Array): string {
  if (bytes.length <= CHUNK) return hash('sha256', bytes, 'hex')
  const whole = createHash('sha256')
  for (let at = 0; at < bytes.length; at += CHUNK) whole.update(bytes.subarray(at, at + CHUNK))
  return whole.digest('hex')
}
