import { decodeEnvelope, type Envelope } from '@millrace/cache-core/store'
import { type Client, isCluster } from './client.ts'
import type { KeySpace } from './key-space.ts'
import { slotOf } from './slot.ts'

/** Versions of the last invalidations of something. */
interface Versions {
  readonly deleted: number
  readonly expired: number
}

/** A key's value as it is to be served. */
export interface ReadEntry {
  /** `expires` is 0 if an invalidation made it stale. */
  readonly envelope: Envelope | undefined
  /** Whether there were bytes that are no envelope. */
  readonly corrupt: boolean
}

/**
 * Reads values and judges them by the versions of their tags and of the last clears. One round trip; a second one if some of
 * the values have tags.
 */
export async function readEntries(
  client: Client,
  space: KeySpace,
  keys: readonly string[],
): Promise<ReadEntry[]> {
  const [values, all] = await Promise.all([
    readValues(client, keys.map(space.value, space)),
    readVersions(client, space.state, 'cleared', 'expired'),
  ])
  const found = values.map((bytes, index) => {
    if (bytes === null) return { envelope: undefined, corrupt: false }
    const envelope = decodeEnvelope(bytes)
    const matches =
      envelope !== undefined && space.value(keys[index]!) === `${space.prefix}:{k${envelope.key}}`
    return matches ? { envelope, corrupt: false } : { envelope: undefined, corrupt: true }
  })
  const tags = new Map<string, Versions | undefined>()
  for (const { envelope } of found) for (const tag of envelope?.tags ?? []) tags.set(tag, undefined)
  await Promise.all(
    Array.from(tags.keys(), async tag => {
      tags.set(tag, await readVersions(client, space.tag(tag), 'd', 'e'))
    }),
  )
  return found.map(entry => ({
    ...entry,
    envelope: entry.envelope && judge(entry.envelope, all, tags),
  }))
}

/** The value unless it is gone, stale if it is stale. */
function judge(
  envelope: Envelope,
  all: Versions | undefined,
  tags: ReadonlyMap<string, Versions | undefined>,
): Envelope | undefined {
  const { version } = envelope
  if (all !== undefined && all.deleted > version) return undefined
  let stale = all !== undefined && all.expired > version
  for (const tag of envelope.tags) {
    const versions = tags.get(tag)
    // A tag that is not there was lost with whatever it invalidated.
    if (versions === undefined || versions.deleted > version) return undefined
    stale ||= versions.expired > version
  }
  return stale ? { ...envelope, expires: 0 } : envelope
}

async function readVersions(
  client: Client,
  name: string,
  deletedField: string,
  expiredField: string,
): Promise<Versions | undefined> {
  const [deleted, expired] = await client.hmget(name, deletedField, expiredField)
  if (deleted == null && expired == null) return undefined
  return { deleted: Number(deleted ?? 0), expired: Number(expired ?? 0) }
}

/** One MGET, or in a Cluster one per slot, all at once. */
async function readValues(client: Client, names: string[]): Promise<(Buffer | null)[]> {
  if (names.length === 1) return [await client.getBuffer(names[0]!)]
  if (!isCluster(client)) return client.mgetBuffer(names)
  const slots = Map.groupBy(names.keys(), index => slotOf(names[index]!))
  const values: (Buffer | null)[] = new Array(names.length).fill(null)
  await Promise.all(
    Array.from(slots.values(), async indexes => {
      const found = await client.mgetBuffer(indexes.map(index => names[index]!))
      for (const [position, index] of indexes.entries()) values[index] = found[position]!
    }),
  )
  return values
}
