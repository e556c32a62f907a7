import { originalKey, storableKey } from '@millrace/cache-core/store'
import { InvalidOptionError } from './errors.ts'

/**
 * Names of a store's keys in Redis. A value lies under `PREFIX:{kKEY}`, what refuses late values under the same name and `!`:
 * the braces put both in one slot of a Cluster. The letter keeps the hash tag from being empty, and a key that begins with a
 * hash tag of its own (`{user:1}:posts`) shares its slot with the others that do.
 */
export class KeySpace {
  readonly prefix: string
  /** Holds the epoch and the versions of the last clears. */
  readonly state: string

  /** @throws {InvalidOptionError} */
  constructor(prefix: string) {
    if (typeof prefix !== 'string' || prefix === '' || /[{}]/.test(prefix)) {
      throw new InvalidOptionError('prefix', 'a string without braces, not empty', prefix)
    }
    this.prefix = prefix
    this.state = `${prefix}:state`
  }

  value(key: string): string {
    return `${this.prefix}:{k${storableKey(key)}}`
  }

  barrier(key: string): string {
    return `${this.value(key)}!`
  }

  /** Beside the others, so that `clear` does not take it for a value. */
  lease(key: string): string {
    return `${this.prefix}:lease:{k${storableKey(key)}}`
  }

  tag(tag: string): string {
    return `${this.prefix}:{t${storableKey(tag)}}`
  }

  /** The key of a value's name, or `undefined` for what is not a value's name. */
  keyOf(name: string): string | undefined {
    const start = `${this.prefix}:{k`
    if (!name.startsWith(start) || !name.endsWith('}')) return undefined
    return originalKey(name.slice(start.length, -1))
  }

  /** Pattern for SCAN that matches values, barriers and tags, and nothing of a neighbour whose prefix begins the same. */
  pattern(keyPrefix?: string): string {
    // Only a plain key's stored form begins as the key does.
    const plain = keyPrefix !== undefined && storableKey(keyPrefix) === keyPrefix ? keyPrefix : ''
    const inner = keyPrefix === undefined ? '' : `k${plain}`
    return `${literal(`${this.prefix}:{${inner}`)}*`
  }
}

/** Escapes what Redis' glob patterns treat specially. */
function literal(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&')
}
