import { InvalidOptionError, type OptionNames } from '@millrace/kit'
import { Redis, type RedisOptions } from 'ioredis'
import type { Client } from './client.ts'

/** Where Redis is. */
export type ConnectionTarget =
  /** A client made elsewhere; it stays open when what uses it closes. */
  | { readonly client: Client; readonly url?: undefined; readonly connection?: undefined }
  /** A `redis://` or `rediss://` URL; the client is made here and closed here. */
  | { readonly url: string; readonly client?: undefined; readonly connection?: undefined }
  /** Options of ioredis; the client is made here and closed here. */
  | { readonly connection: RedisOptions; readonly client?: undefined; readonly url?: undefined }

/** Names of the options of a {@link ConnectionTarget}. */
export const TARGET_OPTIONS: OptionNames<{ client: unknown; url: unknown; connection: unknown }> = {
  client: true,
  url: true,
  connection: true,
}

/**
 * The client of a target.
 *
 * @throws {InvalidOptionError} if there is no target or more than one, or it reads from replicas
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
  const { role } = client.options as { role?: unknown }
  if (role === 'slave') {
    throw new InvalidOptionError('client.options.role', "'master', as replicas lag behind", role)
  }
  return client
}

function connect({ url, connection }: ConnectionTarget): Redis {
  const options: RedisOptions = {
    // What waits when a connection breaks fails then: nobody knows whether it took effect.
    autoResendUnfulfilledCommands: false,
    // Waiting longer is the timeout's business.
    maxRetriesPerRequest: 1,
    ...connection,
  }
  const client = url === undefined ? new Redis(options) : new Redis(checkUrl(url), options)
  // Each operation reports its own failure; without a listener ioredis prints every attempt to reconnect.
  client.on('error', () => undefined)
  return checkClient(client) as Redis
}

function checkUrl(url: unknown): string {
  if (typeof url === 'string' && url !== '') return url
  throw new InvalidOptionError('url', 'a redis:// or rediss:// URL', url)
}
