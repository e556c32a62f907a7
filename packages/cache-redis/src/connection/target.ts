import { InvalidOptionError, type OptionNames } from '@millrace/kit'
import { Redis, type RedisOptions } from 'ioredis'
import type { Client } from './client.ts'
import { isReadOnly } from './read-only.ts'

/** Where Redis is. */
export type ConnectionTarget =
  /** A client made elsewhere; it stays open when what uses it closes. */
  | { readonly client: Client; readonly url?: undefined; readonly connection?: undefined }
  /** A `redis://` or `rediss://` URL; the client is made here and closed here. */
  | { readonly url: string; readonly client?: undefined; readonly connection?: undefined }
  /** Options of ioredis; the client is made here and closed here. */
  | { readonly connection: RedisOptions; readonly client?: undefined; readonly url?: undefined }

/** Names of the options that `O` has beside those of a {@link ConnectionTarget}, and of those. */
export type TargetedNames<O> = OptionNames<O & Record<keyof typeof TARGET_OPTIONS, unknown>>

export const TARGET_OPTIONS = { client: true, url: true, connection: true } as const

/**
 * The client of a target.
 *
 * @throws {InvalidOptionError} if there is no target or more than one, or it reads from replicas; no connection was begun then
 */
export function clientOf(target: ConnectionTarget): Client {
  const { client, url, connection } = target
  const given = [client, url, connection].filter(each => each !== undefined)
  if (given.length !== 1) {
    throw new InvalidOptionError('client', 'given, or else either `url` or `connection`', client)
  }
  return client === undefined ? connect(target) : checkClient(client)
}

function checkClient(client: Client): Client {
  if (typeof client !== 'object' || client === null || typeof client.evalsha !== 'function') {
    throw new InvalidOptionError('client', 'a Redis or Cluster of ioredis', client)
  }
  checkOptionsOf('client.options', client.options)
  return client
}

/** What of ioredis' options decides which data is read. */
function checkOptionsOf(path: string, options: object): void {
  const { role, keyPrefix = '' } = options as { role?: unknown; keyPrefix?: unknown }
  if (role === 'slave') {
    throw new InvalidOptionError(`${path}.role`, "'master', as replicas lag behind", role)
  }
  if (typeof keyPrefix === 'string') return
  throw new InvalidOptionError(`${path}.keyPrefix`, 'a string', keyPrefix)
}

function connect({ url, connection }: ConnectionTarget): Redis {
  const options: RedisOptions = {
    // What waits when a connection breaks fails then: whether it took effect is unknown.
    autoResendUnfulfilledCommands: false,
    // Waiting longer is the timeout's business.
    maxRetriesPerRequest: 1,
    // The name may lead to the new primary by now.
    reconnectOnError: isReadOnly,
    ...checkConnection(connection),
  }
  const client = url === undefined ? new Redis(options) : new Redis(checkUrl(url), options)
  // Each operation reports its own failure; without a listener ioredis prints every attempt to reconnect.
  client.on('error', () => undefined)
  return client
}

function checkConnection(connection: RedisOptions | undefined): RedisOptions | undefined {
  if (connection === undefined) return undefined
  if (typeof connection !== 'object' || connection === null || Array.isArray(connection)) {
    throw new InvalidOptionError('connection', 'an object of options of ioredis', connection)
  }
  checkOptionsOf('connection', connection)
  return connection
}

/** Anything else ioredis takes for a port, a path or a host, and some of it fails with an error that quotes the password. */
function checkUrl(url: unknown): string {
  if (typeof url === 'string' && /^rediss?:\/\//i.test(url) && URL.canParse(url)) return url
  throw new InvalidOptionError('url', 'a redis:// or rediss:// URL', url)
}
