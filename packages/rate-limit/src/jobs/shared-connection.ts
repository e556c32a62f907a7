import Bottleneck from 'bottleneck'
import type { Redis } from 'ioredis'

/** What is used of bottleneck's connection object beyond its published type. */
interface ScriptedConnection {
  __scriptArgs__(name: string, id: string, args: unknown[], callback: Callback): unknown[]
}

type Callback = (error: Error | null, reply: unknown) => void

/** A connection that several schedulers use, as each opens a second one for its messages. */
interface Shared {
  readonly connection: Bottleneck.IORedisConnection
  users: number
}

const connections = new WeakMap<Redis, Shared>()

/** When each start was asked for, ms of `Date.now()`, by its index: what Redis counts its slot from, and bottleneck tells nowhere. */
const registrations = new WeakMap<object, Map<string, number>>()

/** @returns when bottleneck asked for a start; undefined if that has been asked before */
export function takeRegistration(
  connection: Bottleneck.IORedisConnection,
  index: string,
): number | undefined {
  const times = registrations.get(connection)
  const time = times?.get(index)
  times?.delete(index)
  return time
}

/** @returns bottleneck's connection object for a client, the same for all who ask, until {@link releaseConnection} */
export function shareConnection(client: Redis): Bottleneck.IORedisConnection {
  let shared = connections.get(client)
  if (shared === undefined) {
    shared = { connection: createConnection(client), users: 0 }
    connections.set(client, shared)
  }
  shared.users++
  return shared.connection
}

/** Closes the connection for messages when its last user has gone; the client stays open. */
export function releaseConnection(client: Redis): void {
  const shared = connections.get(client)
  if (shared === undefined || --shared.users > 0) return
  connections.delete(client)
  disconnect(subscriberOf(shared.connection))
}

/** Not in the middle of a ready check: ioredis 6 leaves the promise of a check that is cut off unhandled. */
function disconnect(client: Redis): void {
  if (client.status !== 'connect') {
    client.disconnect()
    return
  }
  const end = () => client.disconnect()
  client.once('ready', end)
  client.once('close', end)
}

/** A connection object on which bottleneck 2.19.5 works with Redis 7 and later. */
function createConnection(client: Redis): Bottleneck.IORedisConnection {
  const define = client.defineCommand
  client.defineCommand = (name, { lua, ...rest }) =>
    define.call(client, name, { ...rest, lua: withTimeToLive(lua) })
  let connection: Bottleneck.IORedisConnection
  try {
    // Its class comes with the client, so that a scheduler of one process needs no ioredis.
    connection = new Bottleneck.IORedisConnection({ Redis: client.constructor, client } as never)
  } finally {
    // The client's own, of its class.
    delete (client as { defineCommand?: unknown }).defineCommand
  }
  mendErrors(connection as unknown as ScriptedConnection)
  noteRegistrations(connection as unknown as ScriptedConnection)
  mendUnsubscribe(subscriberOf(connection))
  return connection
}

/**
 * A script of bottleneck's that gives all keys of its limiter a time to live, as bottleneck itself gives it to some, and only when a job
 * starts. A process that has the limiter open calls a script every five seconds.
 */
function withTimeToLive(lua: string): string {
  return `
local function body()
${lua}
end
local result = body()
for _, key in ipairs(KEYS) do
  if string.sub(key, -9) == '_settings' then
    local kept = redis.call('HMGET', key, 'groupTimeout', 'nextRequest')
    local ttl = tonumber(kept[1])
    if ttl then
      ttl = ttl + math.max(0, (tonumber(kept[2]) or 0) - tonumber(ARGV[1]))
      for _, each in ipairs(KEYS) do redis.call('PEXPIRE', each, math.ceil(ttl)) end
    end
  end
end
return result
`
}

/** The second connection, which bottleneck makes for its messages and keeps to itself. */
function subscriberOf(connection: Bottleneck.IORedisConnection): Redis {
  return (connection as unknown as { subscriber: Redis }).subscriber
}

/**
 * bottleneck drops a limiter's subscription without waiting for the answer, so that a connection that closed first left
 * an unhandled rejection. A closed connection has no subscriptions: nothing is lost.
 */
function mendUnsubscribe(subscriber: Redis): void {
  const unsubscribe = subscriber.unsubscribe.bind(subscriber) as (
    ...channels: string[]
  ) => Promise<unknown>
  subscriber.unsubscribe = ((...channels: string[]) =>
    unsubscribe(...channels).catch(() => undefined)) as Redis['unsubscribe']
}

function noteRegistrations(connection: ScriptedConnection): void {
  const times = new Map<string, number>()
  registrations.set(connection, times)
  const original = connection.__scriptArgs__.bind(connection)
  connection.__scriptArgs__ = (name, id, args, callback) => {
    if (name === 'register') times.set(`${args[2]}`, args[0] as number)
    return original(name, id, args, callback)
  }
}

/**
 * bottleneck recovers from a flushed store, an expired key or a sleep of its own by the words of the errors that its
 * scripts raise. Since Redis 7 such errors begin with "ERR ", so that it recognised none of them and every job failed
 * until the process was restarted (SGrondin/bottleneck issues 205, 212, 219).
 */
export function mendErrors(connection: ScriptedConnection): void {
  const original = connection.__scriptArgs__.bind(connection)
  connection.__scriptArgs__ = (name, id, args, callback) =>
    original(name, id, args, (error, reply) => {
      if (error?.message.startsWith('ERR ')) error.message = error.message.slice(4)
      // The arguments, among which are a group's keys, are no part of an error.
      if (error) delete (error as { command?: unknown }).command
      callback(error, reply)
    })
}
