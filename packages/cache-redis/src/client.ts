import type { Cluster, Redis } from 'ioredis'

/** A connection made by ioredis: to one server, through Sentinel, or to a Cluster. */
export type Client = Redis | Cluster

export function isCluster(client: Client): client is Cluster {
  return client.isCluster
}

/** The servers that hold data: all primaries of a Cluster, or the one server. */
export function primaries(client: Client): Redis[] {
  return isCluster(client) ? client.nodes('master') : [client]
}
