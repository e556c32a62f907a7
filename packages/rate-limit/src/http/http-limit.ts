import { checkOneOf } from '@millrace/kit'
import { LimitStoreUnavailableError } from '../errors.ts'
import type { Decision } from '../limiter/rate-limiter.ts'
import { type ClientAddress, type ClientAddressOptions, clientAddress } from './client-address.ts'
import { rateLimitHeaders } from './rate-limit-headers.ts'

/** What is used of a limiter: a {@link KeyedLimiter} or a {@link RedisKeyedLimiter}. */
export interface KeyedDecider {
  readonly name: string
  /** Tokens per second and the most at once, from which the policy is told. */
  readonly rate: number
  readonly burst: number
  decide(key: string, cost?: number): Decision | Promise<Decision>
}

/** What is used of a framework's request. */
export interface RequestFacts {
  readonly remoteAddress: string | undefined
  readonly forwardedFor: string | undefined
}

export interface HttpLimitOptions<Request> extends ClientAddressOptions {
  readonly limiter: KeyedDecider
  /** Whom a request counts for; default its client's address. Undefined lets it pass uncounted. */
  readonly key?:
    | ((request: Request) => string | undefined | Promise<string | undefined>)
    | undefined
  /** How much it costs; default 1. */
  readonly cost?: number | ((request: Request) => number) | undefined
  /** Requests that pass uncounted, such as health checks. */
  readonly skip?: ((request: Request) => boolean) | undefined
  /** While the limiter's store is not available: let requests pass, or answer 503; default `'open'`. */
  readonly whenUnavailable?: 'open' | 'closed' | undefined
  /** Name of the policy in headers; default the limiter's. */
  readonly policy?: string | undefined
  /** Makes another answer of the one that a refused request would get; default a problem document (RFC 9457). */
  readonly refuse?: ((refusal: Refusal, request: Request) => Refusal | Promise<Refusal>) | undefined
}

/** The answer to a request that does not pass. */
export interface Refusal {
  /** 429 where the limit is exceeded, 503 where its store is away. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What to do with a request: add the headers and go on, or answer with this. */
export type HttpVerdict =
  | { readonly pass: true; readonly headers: Readonly<Record<string, string>> }
  | ({ readonly pass: false } & Refusal)

/** By draft-ietf-httpapi-ratelimit-headers, section Problem Types. */
const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded'

const UNCOUNTED: HttpVerdict = { pass: true, headers: {} }

/** The limit of a server, apart from any framework: adapters translate requests and verdicts. */
export class HttpLimit<Request> {
  readonly #options: HttpLimitOptions<Request>
  readonly #addressOf: ClientAddress

  constructor(options: HttpLimitOptions<Request>) {
    checkOneOf('whenUnavailable', options.whenUnavailable ?? 'open', ['open', 'closed'])
    this.#options = options
    this.#addressOf = clientAddress(options)
  }

  /** @throws (by rejection) what the user's functions throw */
  async check(request: Request, facts: RequestFacts): Promise<HttpVerdict> {
    const { limiter, key, cost = 1, skip, whenUnavailable = 'open' } = this.#options
    if (skip?.(request)) return UNCOUNTED
    const whom = key
      ? await key(request)
      : (this.#addressOf(facts.remoteAddress, facts.forwardedFor) ?? 'unknown')
    if (whom === undefined) return UNCOUNTED
    let decision: Decision
    try {
      decision = await limiter.decide(whom, typeof cost === 'function' ? cost(request) : cost)
    } catch (error) {
      if (!(error instanceof LimitStoreUnavailableError)) throw error
      if (whenUnavailable === 'open') return UNCOUNTED
      return this.#refuse({ title: 'Service Unavailable', status: 503 }, {}, request)
    }
    const { policy = limiter.name } = this.#options
    const { rate, burst } = limiter
    const window = (burst / rate) * 1_000
    const headers = rateLimitHeaders(decision, { name: policy, quota: burst, window })
    if (decision.allowed) return { pass: true, headers }
    const problem = { type: QUOTA_EXCEEDED, title: 'Too Many Requests', status: 429 }
    return this.#refuse({ ...problem, 'violated-policies': [policy] }, headers, request)
  }

  async #refuse(
    problem: { readonly status: number; readonly [member: string]: unknown },
    headers: Readonly<Record<string, string>>,
    request: Request,
  ): Promise<HttpVerdict> {
    const refusal: Refusal = {
      status: problem.status,
      headers: { ...headers, 'Content-Type': 'application/problem+json' },
      body: JSON.stringify(problem),
    }
    return { ...((await this.#options.refuse?.(refusal, request)) ?? refusal), pass: false }
  }
}
