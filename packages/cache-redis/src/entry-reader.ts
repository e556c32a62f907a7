import { decodeEnvelope, type Envelope, storableKey } from '@millrace/cache-core/store'
import type { Cluster, Redis } from 'ioredis'
import { type Client, isCluster } from './client.ts'
import type { KeySpace } from './key-space.ts'
import { readAll } from './scripts.ts'
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

/** A key's bytes as they are, and what is known of the value's tags. */
interface Found {
  readonly bytes: Buffer | null
  /** `undefined` if there are no bytes, or bytes that are no envelope of this key. */
  readonly envelope: Envelope | undefined
  readonly tags: Map<string, Versions | undefined>
}

/** Values with the versions of the last clears. */
interface Findings {
  readonly all: Versions | undefined
  readonly found: readonly Found[]
}

/**
 * Reads values and judges them by the versions of their tags and of the last clears. One command; in a Cluster, where what
 * belongs together lies apart, one per slot and tag, and a second round trip if some of the values have tags.
 */
export async function readEntries(
  client: Client,
  space: KeySpace,
  keys: readonly string[],
): Promise<ReadEntry[]> {
  const { all, found } = isCluster(client)
    ? await readApart(client, space, keys)
    : await readTogether(client, space, keys)
  return found.map(({ bytes, envelope, tags }) => ({
    envelope: envelope && judge(envelope, all, tags),
    corrupt: bytes !== null && envelope === undefined,
  }))
}

function open(bytes: Buffer | null, space: KeySpace, key: string): Found {
  const envelope = bytes === null ? undefined : decodeEnvelope(bytes)
  const matches =
    envelope !== undefined && space.value(key) === `${space.prefix}:{k${envelope.key}}`
  return { bytes, envelope: matches ? envelope : undefined, tags: new Map() }
}

async function readTogether(
  client: Redis,
  space: KeySpace,
  keys: readonly string[],
): Promise<Findings> {
  const names = [space.state, ...keys.map(space.value, space)]
  const reply = (await readAll.runForBytes(client, names)) as (Buffer | (Buffer | null)[] | null)[]
  const [cleared, expired, ...values] = reply
  /** Names of tags that are not stored as they are, which the script cannot spell. */
  const apart: [Found, string][] = []
  const found = values.map((value, index) => {
    const [bytes = null, ...versions] = (value ?? []) as (Buffer | null)[]
    const entry = open(bytes, space, keys[index]!)
    for (const [position, tag] of entry.envelope?.tags.entries() ?? []) {
      if (storableKey(tag) !== tag) apart.push([entry, tag])
      else entry.tags.set(tag, versionsOf(versions[2 * position], versions[2 * position + 1]))
    }
    return entry
  })
  await Promise.all(
    apart.map(async ([{ tags }, tag]) => tags.set(tag, await readTag(client, space, tag))),
  )
  return { all: versionsOf(cleared as Buffer | null, expired as Buffer | null), found }
}

async function readApart(
  client: Cluster,
  space: KeySpace,
  keys: readonly string[],
): Promise<Findings> {
  const [values, [cleared, expired]] = await Promise.all([
    readValues(client, keys.map(space.value, space)),
    client.hmget(space.state, 'cleared', 'expired'),
  ])
  const found = values.map((bytes, index) => open(bytes, space, keys[index]!))
  const tags = new Set(found.flatMap(({ envelope }) => envelope?.tags ?? []))
  const versions = new Map(
    await Promise.all(
      Array.from(tags, async tag => [tag, await readTag(client, space, tag)] as const),
    ),
  )
  for (const entry of found) {
    for (const tag of entry.envelope?.tags ?? []) entry.tags.set(tag, versions.get(tag))
  }
  return { all: versionsOf(cleared, expired), found }
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

async function readTag(
  client: Client,
  space: KeySpace,
  tag: string,
): Promise<Versions | undefined> {
  const [deleted, expired] = await client.hmget(space.tag(tag), 'd', 'e')
  return versionsOf(deleted, expired)
}

function versionsOf(
  deleted: Buffer | string | null | undefined,
  expired: Buffer | string | null | undefined,
): Versions | undefined {
  if (deleted == null && expired == null) return undefined
  return { deleted: Number(deleted ?? 0), expired: Number(expired ?? 0) }
}

/** One MGET per slot, all at once. */
async function readValues(client: Cluster, names: string[]): Promise<(Buffer | null)[]> {
  if (names.length === 1) return [await client.getBuffer(names[0]!)]
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
