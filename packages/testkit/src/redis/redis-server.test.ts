import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { describeRedis } from './describe-redis.ts'
import { RedisNotFoundError, redisBinary } from './redis-binary.ts'
import { startCluster } from './redis-cluster.ts'
import { startSentinel } from './redis-sentinel.ts'
import { RedisServer } from './redis-server.ts'

const client = (port: number) => new Redis(port, { retryStrategy: () => 20 })

/** The client reconnects by itself, so its connection errors are expected here. */
function quietly<T extends Redis | Cluster>(redis: T): T {
  redis.on('error', () => undefined)
  return redis
}

async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited 60 s in vain: ${condition}`)
    await sleep(20)
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('a missing program is one sentence that says what to do', () => {
  expect(() => redisBinary({ PATH: '/nowhere' })).toThrow(RedisNotFoundError)
  expect(() => redisBinary({ REDIS_SERVER_BIN: '/nowhere/redis' })).toThrow(
    /^No Redis server found: install redis-server or valkey-server, or set REDIS_SERVER_BIN/,
  )
})

describeRedis('a single server', redis => {
  test('answers on its port', async () => {
    const connection = client(redis.server.port)
    expect(await connection.ping()).toBe('PONG')
    connection.disconnect()
  })

  test('a paused server answers once it is resumed', async () => {
    const connection = client(redis.server.port)
    await connection.ping()
    redis.server.pause()
    let answered = false
    const reply = connection.ping().then(() => (answered = true))
    await sleep(50)
    expect(answered).toBe(false)
    redis.server.resume()
    await reply
    connection.disconnect()
  })

  test('a killed server comes back empty on the same port', async () => {
    const connection = quietly(client(redis.server.port))
    await connection.set('key', 'value')
    const { pid, port } = redis.server
    await redis.server.kill()
    expect([redis.server.running, alive(pid)]).toEqual([false, false])
    await redis.server.restart()
    expect(redis.server.port).toBe(port)
    await eventually(async () => (await connection.get('key').catch(() => 'down')) === null)
    connection.disconnect()
  })

  test('a port that is taken is reported with the server’s own words', async () => {
    await expect(RedisServer.start({ port: redis.server.port })).rejects.toThrow(
      /did not start:\n.*Address already in use/s,
    )
  })
})

describeRedis('servers of a run that dies', () => {
  test('end with it and leave no files, even when it is killed', async () => {
    const script = join(import.meta.dirname, 'orphan.fixture.ts')
    const run = spawn(process.execPath, ['--conditions=millrace-source', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [text] = (await once(run.stdout, 'data')) as [Buffer]
    const pids = text.toString().trim().split(' ').map(Number)
    expect(pids.map(alive)).toEqual([true, true])
    run.kill('SIGKILL')
    await eventually(() => !pids.some(alive))
  })

  test('stop removes the folder, and may be repeated', async () => {
    const server = await RedisServer.start()
    const connection = client(server.port)
    const reply = (await connection.call('CONFIG', 'GET', 'dir')) as unknown
    connection.disconnect()
    const folder = /millrace-redis-\w+/.exec(JSON.stringify(reply))![0]
    await server.stop()
    await server.stop()
    expect(existsSync(join(tmpdir(), folder))).toBe(false)
  })
})

describeRedis('a cluster', () => {
  test('serves all slots and fails over when a primary dies', async () => {
    await using cluster = await startCluster()
    const connection = quietly(
      new Cluster(cluster.startupNodes, { clusterRetryStrategy: () => 50 }),
    )
    const keys = Array.from({ length: 50 }, (_, index) => `key:${index}`)
    await Promise.all(keys.map(key => connection.set(key, key)))
    expect(await Promise.all(keys.map(key => connection.get(key)))).toEqual(keys)

    await cluster.kill(cluster.nodes[0]!)
    const answers = () => Promise.all(keys.map(key => connection.get(key))).catch(() => [])
    await eventually(async () => (await answers()).every((value, i) => value === keys[i]))
    connection.disconnect()
  })
})

describeRedis('a Sentinel set', () => {
  test('promotes the replica when the primary dies', async () => {
    await using set = await startSentinel()
    const connection = quietly(
      new Redis({
        sentinels: set.sentinels,
        name: set.name,
        retryStrategy: () => 50,
        sentinelRetryStrategy: () => 50,
      }),
    )
    await connection.set('key', 'value')
    expect(await connection.wait(1, 60_000)).toBe(1)
    await set.killPrimary()
    await eventually(async () => (await connection.get('key').catch(() => null)) === 'value')
    expect(connection.stream.remotePort).toBe(set.replica.port)
    connection.disconnect()
  })
})
