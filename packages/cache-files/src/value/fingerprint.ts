import { hash } from 'node:crypto'
import { CanonicalBytes } from './canonical-bytes.ts'

const bytes = new CanonicalBytes()

/**
 * A hash that is equal for equal values, in this process and in any other; it gives nothing of the value away. SHA-256 in base64.
 *
 * @throws {NoCanonicalForm} for functions, symbols, and instances whose state does not show in properties
 */
export function fingerprintOf(value: unknown): string {
  return hash('sha256', bytes.of(value), 'base64')
}

/** {@link fingerprintOf} a value, and whether the structured clone algorithm certainly keeps it. */
export function identityOf(value: unknown): {
  readonly fingerprint: string
  readonly clones: boolean
} {
  const fingerprint = fingerprintOf(value)
  return { fingerprint, clones: bytes.clones }
}
