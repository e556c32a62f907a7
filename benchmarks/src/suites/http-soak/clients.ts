import type { PoolStats } from '@millrace/http-pool'

/** What the soak asks of a client. */
export interface SoakClient {
  /** Sends a GET. The body is read, or thrown away without a look. */
  get(url: string, read: 'whole' | 'not', signal?: AbortSignal): Promise<void>
  /** What is still held once all calls have ended. */
  leftovers(): Record<string, number>
  close(): Promise<void>
}

export type ClientName = 'millrace' | 'undici'

const connections = 20
const maxEntrySize = 10_000

/** A pool with every feature on. */
async function millrace(): Promise<SoakClient> {
  const { HttpPool } = await import('@millrace/http-pool')
  const pool = new HttpPool({
    connectionsPerHost: connections,
    totalConnections: connections,
    headersTimeout: 50,
    totalTimeout: 5_000,
    retry: { baseDelay: 5, budgetFloor: 1_000, hostTokens: 1e6 },
    breaker: { failureRatio: 0.9 },
    throttle: true,
    hedge: true,
    learnLimits: true,
    coalesce: true,
    decompress: true,
    cache: { maxEntrySize },
  })
  return {
    get: async (url, read, signal) => {
      const { body } = await pool.request(url, signal === undefined ? {} : { signal })
      if (read === 'whole') await body.text()
      else body.destroy()
    },
    leftovers: () => {
      const { pending, queued, deadlines }: PoolStats = pool.stats()
      return { pending, queued, deadlines }
    },
    close: () => pool.close(),
  }
}

/** undici with what it has of that. */
async function undici(): Promise<SoakClient> {
  const { Agent, cacheStores, interceptors, request } = await import('undici')
  const agent = new Agent({ connections })
  const dispatcher = agent.compose(
    interceptors.retry({ maxRetries: 2, minTimeout: 5, throwOnError: false }),
    interceptors.redirect({ maxRedirections: 5 }),
    interceptors.cache({ store: new cacheStores.MemoryCacheStore({ maxEntrySize }) }),
    interceptors.decompress(),
  )
  return {
    get: async (url, read, signal) => {
      const { body } = await request(url, { dispatcher, signal: signal ?? null })
      if (read === 'whole') await body.text()
      // undici has an error for those who destroy a body that is under way.
      else body.on('error', () => {}).destroy()
    },
    leftovers: () => ({}),
    close: () => agent.close(),
  }
}

export const clients: Readonly<Record<ClientName, () => Promise<SoakClient>>> = { millrace, undici }
