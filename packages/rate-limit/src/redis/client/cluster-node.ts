import type { RedisClient } from './redis-client.ts'

/** What an ioredis `Cluster` knows of which node has which slot. */
interface ClusterClient extends RedisClient {
  readonly isCluster: true
  readonly slots: readonly (readonly string[] | undefined)[]
}

const SLOTS = 16_384

/** Which node of a Cluster has the key; `''` without a Cluster, or where it is not known. O(length of the key) in a Cluster. */
export function clusterNodeOf(client: RedisClient, key: string): string {
  if (!isCluster(client)) return ''
  return client.slots[slotOf(key)]?.[0] ?? ''
}

function isCluster(client: RedisClient): client is ClusterClient {
  const { isCluster, slots } = client as Partial<ClusterClient>
  return isCluster === true && Array.isArray(slots)
}

/** The slot of a key, by what stands in its first braces: CRC16 (XMODEM) of Redis' Cluster specification. */
function slotOf(key: string): number {
  const open = key.indexOf('{')
  const end = open < 0 ? -1 : key.indexOf('}', open + 1)
  const hashed = end > open + 1 ? key.slice(open + 1, end) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    crc &= 0xffff
  }
  return crc % SLOTS
}
