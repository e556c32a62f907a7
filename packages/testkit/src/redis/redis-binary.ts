import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** No Redis server program was found; the message says what to do about it. */
export class RedisNotFoundError extends Error {
  override readonly name = 'RedisNotFoundError'
  readonly code = 'ERR_MILLRACE_REDIS_NOT_FOUND'

  constructor(options?: ErrorOptions) {
    super(
      'No Redis server found: install redis-server or valkey-server, or set REDIS_SERVER_BIN to its path, or set MILLRACE_SKIP_REDIS=1 to leave out the tests that need it.',
      options,
    )
  }
}

/**
 * Path of the Redis server program: REDIS_SERVER_BIN, else `redis-server`, else `valkey-server` on PATH.
 *
 * @throws {@link RedisNotFoundError} if there is none, or REDIS_SERVER_BIN names a file that cannot be run
 */
export function redisBinary(env: NodeJS.ProcessEnv = process.env): string {
  if (env.REDIS_SERVER_BIN) {
    try {
      accessSync(env.REDIS_SERVER_BIN, constants.X_OK)
    } catch (cause) {
      throw new RedisNotFoundError({ cause })
    }
    return env.REDIS_SERVER_BIN
  }
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of (env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not here: the next folder.
      }
    }
  }
  throw new RedisNotFoundError()
}
