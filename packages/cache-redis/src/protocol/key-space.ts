import { createHash } from 'node:crypto'
import { originalKey, storableKey } from '@millrace/cache-core/store'
import { InvalidOptionError, slotOf } from '@millrace/kit'
import { type Client, isCluster } from '../connection/client.ts'

/** Beginning of the names of all keys and channels unless an option says otherwise. */
export const DEFAULT_PREFIX = 'millrace:cache'

/** Into how many parts a Cluster's keys are divided; each lies in one slot, with the journal that it is judged by. */
const CLUSTER_SHARDS = 16

/** Candidates per shard from which the one nearest to the wanted slot is taken. */
const CANDIDATES = 64

/** The names of one shard: all of them in one slot of a Cluster. */
export interface Shard {
  readonly index: number
  /** Epoch, clears and the versions of tags. Also the name of the channel, without ioredis' `keyPrefix`. */
  readonly journal: string
  /** Versions of keys that were invalidated lately. */
  readonly recent: string
  /** Beginning of the names of its values. */
  readonly values: string
}

/**
 * Names of a store's keys in Redis: `PREFIX:{SHARD}` is a journal, `PREFIX:{SHARD}!` the notes beside it, `PREFIX:{SHARD}:KEY` a value.
 * One server has one shard, called `0`, or `0/DB` where another database than 0 is selected, as channels know no databases.
 */
export class KeySpace {
  readonly prefix: string
  readonly shards: readonly Shard[]
  /** What ioredis puts before every key that it sends, but neither into patterns nor names of channels. */
  readonly keyPrefix: string
  /** Whether names contain hashes of keys. */
  readonly hashed: boolean
  readonly #byValues: ReadonlyMap<string, Shard>

  /**
   * @param hashed whether names contain the SHA-256 of keys instead of the keys
   * @throws {InvalidOptionError}
   */
  constructor(prefix: string, client: Client, hashed = false) {
    this.prefix = checkPrefix(prefix)
    this.keyPrefix = (client.options as { keyPrefix?: string }).keyPrefix ?? ''
    this.hashed = hashed
    const names = isCluster(client) ? clusterShards() : [databaseOf(client)]
    this.shards = names.map((name, index) => {
      const base = `${prefix}:{${name}}`
      return { index, journal: base, recent: `${base}!`, values: `${base}:` }
    })
    this.#byValues = new Map(this.shards.map(shard => [shard.values, shard]))
  }

  /** @param stored the key in its storable form */
  shardOf(stored: string): Shard {
    const { shards } = this
    return shards.length === 1 ? shards[0]! : shards[hash(stored) % shards.length]!
  }

  /** What a key is called within its shard. O(length). */
  label(stored: string): string {
    if (!this.hashed) return stored
    return createHash('sha256').update(stored).digest('base64url')
  }

  /** Name of the channel on which invalidations of a shard travel. */
  channel(shard: Shard): string {
    return this.keyPrefix + shard.journal
  }

  /** Names of a key's lease, and of the last fencing token of its group of leases. */
  lease(key: string): { readonly name: string; readonly token: string } {
    const stored = storableKey(key)
    const group = this.shardOf(stored).journal.slice(this.prefix.length)
    const token = `${this.prefix}:lease${group}`
    return { name: `${token}:${this.label(stored)}`, token }
  }

  /** Where a value is whose name SCAN returned, or `undefined` for what is not a value's name. */
  locate(name: string): { readonly shard: Shard; readonly label: string } | undefined {
    const own = name.slice(this.keyPrefix.length)
    const end = own.indexOf('}:') + 2
    const shard = this.#byValues.get(own.slice(0, end))
    return shard && { shard, label: own.slice(end) }
  }

  /** The key of a label, which must not be a hash. */
  keyOf(label: string): string {
    return originalKey(label)
  }

  /** Pattern for SCAN that matches the values, and nothing of a neighbour whose prefix begins the same. */
  pattern(keyPrefix = ''): string {
    // Only a plain key's stored form begins as the key does.
    const plain = !this.hashed && storableKey(keyPrefix) === keyPrefix ? keyPrefix : ''
    const start = literal(`${this.keyPrefix}${this.prefix}:{`)
    return `${start}*}:${literal(plain)}*`
  }
}

/**
 * The `prefix` of options, to be checked before a connection is made that nothing would close.
 *
 * @throws {InvalidOptionError}
 */
export function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string' && prefix !== '' && !/[{}]/.test(prefix) && prefix.isWellFormed())
    return prefix
  throw new InvalidOptionError('prefix', 'a string without braces, not empty', prefix)
}

function databaseOf({ options }: Client): string {
  const db = Number((options as { db?: unknown }).db ?? 0)
  return db === 0 ? '0' : `0/${db}`
}

let clusterNames: readonly string[] | undefined

/** Names whose slots are spread evenly, so that nodes which share out the slots share out the shards. */
function clusterShards(): readonly string[] {
  clusterNames ??= Array.from({ length: CLUSTER_SHARDS }, (_, index) => {
    const wanted = ((index + 0.5) * 16_384) / CLUSTER_SHARDS
    const names = Array.from({ length: CANDIDATES }, (_, n) => `${index * CANDIDATES + n}`)
    const distance = (name: string) => Math.abs(slotOf(name) - wanted)
    return names.reduce((best, name) => (distance(name) < distance(best) ? name : best))
  })
  return clusterNames
}

/** FNV-1a over code units. O(length). */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  }
  return value >>> 0
}

/** Escapes what Redis' glob patterns treat specially. */
function literal(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&')
}
