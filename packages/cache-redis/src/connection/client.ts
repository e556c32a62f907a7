import type { Cluster, Redis } from 'ioredis'

/** A connection made by ioredis: to one server, through Sentinel, or to a Cluster. */
export type Client = Redis | Cluster

export function isCluster(client: Client): client is Cluster {
  return client.isCluster
}

/**
 * The servers that hold data: all primaries of a Cluster, or the one server.
 *
 * @param key any key of ours
 */
export async function primaries(client: Client, key: string): Promise<Redis[]> {
  if (!isCluster(client)) return [client]
  // A Cluster that is still connecting knows no nodes, or other ones, but keeps commands until it does.
  if (client.status !== 'ready') await client.exists(key)
  return client.nodes('master')
}
