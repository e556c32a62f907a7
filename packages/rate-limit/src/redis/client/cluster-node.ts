import { slotOf } from '@millrace/kit'
import type { RedisClient } from './redis-client.ts'

/** What an ioredis `Cluster` knows of which node has which slot. */
interface ClusterClient extends RedisClient {
  readonly isCluster: true
  readonly slots: readonly (readonly string[] | undefined)[]
}

/** Which node of a Cluster has the key; `''` without a Cluster, or where it is not known. O(length of the key) in a Cluster. */
export function clusterNodeOf(client: RedisClient, key: string): string {
  if (!isCluster(client)) return ''
  return client.slots[slotOf(key)]?.[0] ?? ''
}

function isCluster(client: RedisClient): client is ClusterClient {
  const { isCluster, slots } = client as Partial<ClusterClient>
  return isCluster === true && Array.isArray(slots)
}
