import { hash } from 'node:crypto'
import { CanonicalForm } from './canonical-form.ts'

const form = new CanonicalForm()

/**
 * A hash that is equal for equal values, in this process and in any other; it gives nothing of the value away. SHA-256 in base64.
 *
 * @throws {NoCanonicalForm} for functions, symbols, and instances whose state does not show in properties
 */
export function fingerprintOf(value: unknown): string {
  return hash('sha256', form.of(value), 'base64')
}

/** {@link fingerprintOf} a value, and whether the structured clone algorithm certainly keeps it. */
export function identityOf(value: unknown): {
  readonly fingerprint: string
  readonly clones: boolean
} {
  const fingerprint = fingerprintOf(value)
  return { fingerprint, clones: form.clones }
}
