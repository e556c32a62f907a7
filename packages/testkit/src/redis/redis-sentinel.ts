import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { RedisServer } from './redis-server.ts'

/** How long the replica may take to copy the primary, and the Sentinel to see it, in ms. */
const formDeadline = 60_000
/** After how long a silence the primary is taken to have failed, in ms: longer than a machine stands still. */
const patience = 15_000
/** The same where it has failed indeed: a test sees the fail-over within two seconds. */
const impatience = 1_000

/** A primary and its replica under a Sentinel that fails over. */
export class RedisSentinel {
  /** The server that starts as primary. */
  readonly primary: RedisServer
  /** The server that starts as replica. */
  readonly replica: RedisServer
  readonly sentinel: RedisServer
  /** The name under which the Sentinel knows the primary. */
  readonly name: string

  constructor(name: string, primary: RedisServer, replica: RedisServer, sentinel: RedisServer) {
    this.name = name
    this.primary = primary
    this.replica = replica
    this.sentinel = sentinel
  }

  /** Addresses in the form that ioredis' option `sentinels` takes. */
  get sentinels(): { host: string; port: number }[] {
    return [{ host: this.sentinel.host, port: this.sentinel.port }]
  }

  /** Ends the primary without notice: its replica takes over within about two seconds. */
  async killPrimary(): Promise<void> {
    const client = new Redis(this.sentinel.port)
    await client.call('SENTINEL', 'SET', this.name, 'down-after-milliseconds', impatience)
    client.disconnect()
    await this.primary.kill()
  }

  /** Ends all three servers and removes their files. */
  async stop(): Promise<void> {
    // The Sentinel first, so that it does not begin a fail-over meanwhile.
    await this.sentinel.stop()
    await Promise.all([this.primary.stop(), this.replica.stop()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** Starts a primary, one replica of it and a Sentinel that watches them. */
export async function startSentinel({
  name = 'millrace',
}: {
  name?: string
} = {}): Promise<RedisSentinel> {
  const primary = await RedisServer.start()
  const replica = await RedisServer.start({
    args: ['--replicaof', primary.host, `${primary.port}`, '--repl-diskless-sync-delay', '0'],
  })
  const sentinel = await RedisServer.start({
    prepare: async folder => {
      const file = join(folder, 'sentinel.conf')
      await writeFile(
        file,
        [
          `sentinel monitor ${name} ${primary.host} ${primary.port} 1`,
          `sentinel down-after-milliseconds ${name} ${patience}`,
          `sentinel failover-timeout ${name} 3000`,
        ].join('\n'),
      )
      return [file, '--sentinel']
    },
  })
  const set = new RedisSentinel(name, primary, replica, sentinel)
  const clients = [replica, sentinel].map(
    ({ port }) => new Redis(port, { retryStrategy: () => null }),
  )
  try {
    const end = Date.now() + formDeadline
    while (!((await isSynced(clients[0]!)) && (await seesReplica(clients[1]!, name)))) {
      if (Date.now() > end) throw new Error(`The Sentinel saw no replica in ${formDeadline} ms`)
      await sleep(20)
    }
  } catch (error) {
    await set.stop()
    throw error
  } finally {
    for (const client of clients) client.disconnect()
  }
  return set
}

async function isSynced(replica: Redis): Promise<boolean> {
  return (await replica.info('replication')).includes('master_link_status:up')
}

async function seesReplica(client: Redis, name: string): Promise<boolean> {
  const replicas = (await client.call('SENTINEL', 'REPLICAS', name)) as unknown[]
  // The flag is no more than "slave" once the Sentinel has a connection and a first INFO of it.
  return replicas.length === 1 && /"?flags"?[,:]"?slave"?[,}]/.test(JSON.stringify(replicas[0]))
}
