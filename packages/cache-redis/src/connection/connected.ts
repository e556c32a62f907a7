import { RedisUnavailableError } from '../errors.ts'
import type { Client } from './client.ts'
import { ClientEvents } from './client-events.ts'
import { isRefusal } from './refusal.ts'

/**
 * Resolves when a client has a connection.
 *
 * @param lastError what its last attempt has failed with
 * @throws {RedisUnavailableError} if Redis refuses the credentials, or the client does not connect any more
 * @throws the signal's reason
 */
export function connected(client: Client, lastError: unknown, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason)
  if (client.status === 'ready') return Promise.resolve()
  if (isRefusal(lastError)) return Promise.reject(unavailable('reply', lastError))
  if (client.status === 'end') return Promise.reject(unavailable('disconnected', lastError))
  if (client.status === 'wait') {
    // What it fails with is emitted as `error`, too.
    client.connect().catch(() => undefined)
  }
  return new Promise((resolve, reject) => {
    const events = ClientEvents.of(client)
    const leave = (settle: () => void): void => {
      events.off('ready', ready)
      events.off('error', error)
      events.off('end', end)
      signal.removeEventListener('abort', abort)
      settle()
    }
    let last = lastError
    const ready = (): void => leave(resolve)
    const error = (cause: unknown): void => {
      last = cause
      if (isRefusal(cause)) leave(() => reject(unavailable('reply', cause)))
    }
    const end = (): void => leave(() => reject(unavailable('disconnected', last)))
    const abort = (): void => leave(() => reject(signal.reason))
    events.on('ready', ready)
    events.on('error', error)
    events.on('end', end)
    signal.addEventListener('abort', abort)
  })
}

function unavailable(reason: 'reply' | 'disconnected', cause: unknown): RedisUnavailableError {
  return new RedisUnavailableError('ready', reason, { cause })
}
