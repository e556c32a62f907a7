import type { Writable } from 'node:stream'
import { clockSteps, shifted } from './clock-steps.ts'
import { asReceived, receivedStatus } from './fields/understood-response.ts'
import { chunks, isPart, partFor, partKey, partValue } from './partial-response.ts'
import { POSTED } from './posted-response.ts'
import type { CacheKey, CacheValue, StoredResponse, UndiciStore } from './response-store.ts'

/** How long a response with a validator is kept after it was received, fresh or not, in ms. */
const RETENTION = 24 * 60 * 60 * 1_000

/** How far the clocks of processes that share a store may be apart, in ms. */
const CLOCK_SKEW = 1_000

/**
 * What undici's cache keeps and finds, as a caller may see it.
 *
 * Responses that can be validated stay for a day: undici lets go of them after twice their lifetime, and what lives for a second would
 * be fetched whole ever again. Those that came in chunks get a length, which by then is known.
 */
export class RevalidatedStore implements UndiciStore {
  readonly #store: UndiciStore

  constructor(store: UndiciStore) {
    this.#store = store
  }

  get(key: CacheKey): StoredResponse | Promise<StoredResponse> {
    // What is kept answers no POST.
    if (key.headers?.[POSTED] !== undefined) return undefined
    const whole = this.#find(key)
    if (key.headers?.range === undefined) return whole
    const findPart = () => {
      const part = this.#find(partKey(key))
      return part instanceof Promise ? part.then(each => partFor(each, key)) : partFor(part, key)
    }
    return whole instanceof Promise ? whole.then(each => each ?? findPart()) : (whole ?? findPart())
  }

  createWriteStream(key: CacheKey, value: CacheValue): Writable | undefined {
    const statusCode = receivedStatus(value.statusCode, value.headers)
    const headers = asReceived(value.headers)
    const hasValidator = value.etag !== undefined || typeof headers['last-modified'] === 'string'
    const deleteAt = hasValidator
      ? Math.max(value.deleteAt, Date.now() + RETENTION)
      : value.deleteAt
    const kept = { ...value, headers: { ...headers } as CacheValue['headers'], deleteAt }
    clockSteps.mark(kept.headers, clockSteps.setBack)
    return isPart(statusCode, key.headers ?? {}, headers)
      ? this.#store.createWriteStream(partKey(key), partValue(key, kept))
      : this.#store.createWriteStream(key, kept)
  }

  delete(key: CacheKey): void | Promise<void> {
    // undici asks for each method, of which only this one is kept; and for a POST that has failed, which leaves what is kept as it is.
    if (key.method === 'GET' && key.headers?.[POSTED] === undefined) return this.#store.delete(key)
  }

  #find(key: CacheKey): StoredResponse | Promise<StoredResponse> {
    const stored = this.#store.get(key)
    return stored instanceof Promise ? stored.then(found) : found(stored)
  }
}

/**
 * With the age that it has: older than the clock says by what that has been set back, and not of the future. What is further ahead
 * than clocks may be apart is nothing, as it would be fresh for so much longer.
 */
function found(stored: StoredResponse): StoredResponse {
  if (stored === undefined) return undefined
  const ahead = stored.cachedAt - Date.now()
  if (ahead > CLOCK_SKEW) return undefined
  return withLength(shifted(stored, -Math.max(ahead, clockSteps.since(stored.headers), 0)))
}

function withLength(stored: StoredResponse): StoredResponse {
  if (stored === undefined || stored.statusCode !== 200) return stored
  const { headers, body } = stored
  if (headers['content-length'] !== undefined || body === undefined) return stored
  const length = chunks(body).reduce((sum, chunk) => sum + chunk.length, 0)
  return { ...stored, headers: { ...headers, 'content-length': String(length) } }
}
