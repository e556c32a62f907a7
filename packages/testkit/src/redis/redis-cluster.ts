import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { freePort } from '../net/free-port.ts'
import { RedisServer, type RedisServerOptions } from './redis-server.ts'

const slots = 16_384
const primaries = 3
/** How long the nodes may take to agree, in ms. */
const formDeadline = 60_000
/** After how long a silence a node is taken to have failed, in ms: longer than a machine stands still. */
const patience = 15_000
/** The same where one has failed indeed: a test sees the fail-over within two seconds. */
const impatience = 1_000

/** A running cluster: {@link nodes} 0 to 2 start as primaries, 3 to 5 as their replicas. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[]

  constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes
  }

  /** Addresses in the form that ioredis' `Cluster` takes. */
  get startupNodes(): { host: string; port: number }[] {
    return this.nodes.map(({ host, port }) => ({ host, port }))
  }

  /** Ends a primary without notice: its replica takes over within two seconds, and from now on for any that is silent for a second. */
  async kill(node: RedisServer): Promise<void> {
    const others = this.nodes.filter(other => other !== node && other.running)
    await Promise.all(
      others.map(async ({ port }) => {
        const client = new Redis(port)
        await client.config('SET', 'cluster-node-timeout', impatience)
        client.disconnect()
      }),
    )
    await node.kill()
  }

  /** Ends all nodes and removes their files. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.stop()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** Starts three primaries with a replica each and waits until all agree that the cluster is complete. */
export async function startCluster({
  args = [],
  start = (_, options) => RedisServer.start(options),
}: {
  args?: readonly string[]
  /** Starts a node; the first three are primaries. */
  start?: (index: number, options: RedisServerOptions) => Promise<RedisServer>
} = {}): Promise<RedisCluster> {
  const starts = Array.from({ length: primaries * 2 }, (_, index) =>
    start(index, {
      args: [
        ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
        ...['--cluster-node-timeout', `${patience}`, '--cluster-replica-validity-factor', '0'],
        ...args,
      ],
      prepare: async () => ['--cluster-port', `${await freePort()}`],
    }),
  )
  const nodes = await Promise.all(starts)
  const cluster = new RedisCluster(nodes)
  const clients = nodes.map(node => new Redis(node.port, { retryStrategy: () => null }))
  try {
    await join(clients)
  } catch (error) {
    await cluster.stop()
    throw error
  } finally {
    for (const client of clients) client.disconnect()
  }
  return cluster
}

/** Does what `redis-cli --cluster create` does, so that only the server program is needed. */
async function join(clients: readonly Redis[]): Promise<void> {
  const share = Math.ceil(slots / primaries)
  await Promise.all(
    clients.map(async (client, index) => {
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
      if (index >= primaries) return
      const last = Math.min(slots, (index + 1) * share) - 1
      await client.call('CLUSTER', 'ADDSLOTSRANGE', index * share, last)
    }),
  )
  // The port pair is the server's own account of where it listens.
  const addresses = await Promise.all(
    clients.map(async client => {
      const [, busPort] = (await client
        .call('CONFIG', 'GET', 'cluster-port')
        .then(pairs)) as string[]
      return ['127.0.0.1', client.options.port!, Number(busPort)] as const
    }),
  )
  for (const client of clients) {
    for (const address of addresses) await client.call('CLUSTER', 'MEET', ...address)
  }
  const ids = await Promise.all(clients.map(client => client.call('CLUSTER', 'MYID')))
  await until(async () => {
    const views = await Promise.all(clients.map(client => client.call('CLUSTER', 'NODES')))
    return views.every(view => {
      const lines = String(view).trim().split('\n')
      return lines.length === clients.length && !/handshake|fail/.test(String(view))
    })
  })
  for (let index = primaries; index < clients.length; index++) {
    await clients[index]!.call('CLUSTER', 'REPLICATE', ids[index - primaries] as string)
  }
  await until(async () => {
    const states = await Promise.all(
      clients.map(async client => {
        const info = String(await client.call('CLUSTER', 'INFO'))
        const view = String(await client.call('CLUSTER', 'NODES'))
        const replicas = view.match(/ (?:myself,)?slave /g)?.length ?? 0
        return info.includes('cluster_state:ok') && replicas === clients.length - primaries
      }),
    )
    const links = await Promise.all(
      clients.slice(primaries).map(async client => String(await client.info('replication'))),
    )
    return states.every(Boolean) && links.every(link => link.includes('master_link_status:up'))
  })
}

/** `CONFIG GET` answers with a map under RESP3 and with a list of pairs under RESP2. */
function pairs(reply: unknown): unknown[] {
  if (Array.isArray(reply)) return reply
  return Object.entries(reply as Record<string, unknown>).flat()
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + formDeadline
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`The Redis cluster did not form in ${formDeadline} ms`)
    await sleep(20)
  }
}
