import type { HttpPoolOptions } from '@millrace/http-pool'
import type { JsonServer } from '../servers/json-server.ts'
import { type Client, load, workers } from './load.ts'

/** Every feature that can be switched off, off. */
const featuresOff: HttpPoolOptions = {
  acquireTimeout: Infinity,
  headersTimeout: Infinity,
  bodyTimeout: Infinity,
  totalTimeout: Infinity,
  maxRedirects: 0,
  bodyLeakTimeout: Infinity,
  retry: false,
}

/** Every feature that each request passes through, on. A cache would answer instead of the server. */
const featuresOn: HttpPoolOptions = {
  totalTimeout: 60_000,
  maxResponseSize: 1_000_000,
  totalConcurrency: 1_000,
  concurrencyPerHost: 1_000,
  limiter: { acquire: () => Promise.resolve(), tryAcquire: () => true },
  learnLimits: true,
  breaker: true,
  throttle: true,
  hedge: { minimumAnswers: 1e9 },
}

/** How a client reads a body. */
type Read = (body: AsyncIterable<Uint8Array> & { text(): Promise<string> }) => Promise<number>

const asText: Read = async body => (await body.text()).length

const asStream: Read = async body => {
  let length = 0
  for await (const chunk of body) length += chunk.length
  return length
}

function millrace(options: HttpPoolOptions, read: Read) {
  return load(async ({ certificate }: JsonServer): Promise<Client> => {
    const { HttpPool } = await import('@millrace/http-pool')
    const pool = new HttpPool({
      connectionsPerHost: workers,
      ...(certificate === undefined ? undefined : { tls: { ca: certificate } }),
      ...options,
    })
    return {
      get: async url => {
        const { body } = await pool.request(url)
        return read(body)
      },
      close: () => pool.close(),
    }
  })
}

export const millraceOff = millrace(featuresOff, asText)
export const millraceOn = millrace(featuresOn, asText)
export const millraceOnStream = millrace(featuresOn, asStream)

function undici(read: Read) {
  return load(async ({ certificate }): Promise<Client> => {
    const { Agent, request } = await import('undici')
    const dispatcher = new Agent({
      connections: workers,
      ...(certificate === undefined ? undefined : { connect: { ca: certificate } }),
    })
    return {
      get: async url => {
        const { body } = await request(url, { dispatcher })
        return read(body)
      },
      close: () => dispatcher.close(),
    }
  })
}

export const undiciRequest = undici(asText)
export const undiciRequestStream = undici(asStream)

export const undiciFetch = load(async (): Promise<Client> => {
  const { Agent, fetch } = await import('undici')
  const dispatcher = new Agent({ connections: workers })
  return {
    get: async url => (await (await fetch(url, { dispatcher })).text()).length,
    close: () => dispatcher.close(),
  }
})

export const gotClient = load(async (): Promise<Client> => {
  const { default: got } = await import('got')
  const { Agent } = await import('node:http')
  const agent = new Agent({ keepAlive: true, maxSockets: workers })
  return {
    get: async url => (await got(url, { agent: { http: agent } })).body.length,
    close: () => agent.destroy(),
  }
})

export const kyClient = load(async (): Promise<Client> => {
  const { default: ky } = await import('ky')
  return {
    get: async url => (await ky.get(url).text()).length,
    close: () => {},
  }
})

/** Requests at a time on one HTTP/2 connection. */
const streams = 100

export const millraceH2 = load(async ({ certificate }): Promise<Client> => {
  const { HttpPool } = await import('@millrace/http-pool')
  const pool = new HttpPool({
    allowH2: true,
    connectionsPerHost: 1,
    maxConcurrentStreams: streams,
    tls: { ca: certificate },
  })
  return {
    get: async url => asText((await pool.request(url)).body),
    close: () => pool.close(),
  }
}, streams)

export const undiciH2 = load(async ({ certificate }): Promise<Client> => {
  const { Agent, request } = await import('undici')
  const dispatcher = new Agent({
    allowH2: true,
    connections: 1,
    maxConcurrentStreams: streams,
    pipelining: streams,
    connect: { ca: certificate },
  })
  return {
    get: async url => asText((await request(url, { dispatcher })).body),
    close: () => dispatcher.close(),
  }
}, streams)

/** A new connection for each request, as a client without a pool makes it. */
export const withoutPool = load(async ({ certificate }): Promise<Client> => {
  const http = certificate === undefined ? await import('node:http') : await import('node:https')
  return {
    get: url =>
      new Promise((resolve, reject) => {
        const options = { agent: false, ...(certificate === undefined ? {} : { ca: certificate }) }
        http
          .get(url, options, response => {
            let text = ''
            response.setEncoding('utf8')
            response.on('data', chunk => {
              text += chunk
            })
            response.on('end', () => resolve(text.length))
          })
          .on('error', reject)
      }),
    close: () => {},
  }
})
