import { hash } from 'node:crypto'
import { serialize } from 'node:v8'

/**
 * A string that is equal for equal results: short primitives as they are, all else by its structured clone. Objects that differ
 * only in the order of their properties differ, which costs a computation and never correctness.
 *
 * @throws DataCloneError for functions and what else cannot be cloned: such results need a fingerprint of their own
 */
export function defaultFingerprint(value: unknown): string {
  if (typeof value === 'string' && value.length < 64) return `"${value}`
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) {
    return Object.is(value, -0) ? '-0' : String(value)
  }
  return hash('sha256', serialize(value), 'base64')
}
