import {
  checkBoolean,
  checkFunction,
  checkOneOf,
  checkOptions,
  checkText,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { LimiterClosedError, LimitStoreUnavailableError } from '../errors.ts'
import { type JointDecision, KeyedLimits, type PartDecision } from '../keyed/keyed-limits.ts'
import { type ClientAddress, type ClientAddressOptions, clientAddress } from './client-address.ts'
import { ClientAddressError } from './client-address-error.ts'
import { type CommonDecider, isCommon, type KeyedDecider, keyedDecider } from './keyed-decider.ts'
import {
  legacyHeaders,
  policyLabel,
  policyOf,
  type RateLimitPolicy,
  rateLimitHeaders,
} from './rate-limit-headers.ts'

/** What is used of a framework's request. */
export interface RequestFacts {
  readonly remoteAddress: string | undefined
  readonly forwardedFor: string | undefined
}

/** What a function of the application may return: at once or later. */
export type Awaitable<T> = T | Promise<T>

/** One limit or several. */
export type Limits = KeyedDecider | CommonDecider | readonly (KeyedDecider | CommonDecider)[]

/** Each function sees a request of its own type, as one may name other parts of it than another; all see `Request` unless said otherwise. */
export interface HttpLimitOptions<
  Request,
  Keyed = Request,
  Priced = Request,
  Skipped = Request,
  Refused = Request,
> extends ClientAddressOptions {
  /**
   * The limit, by key or for all requests together; several that a request must pass all; or a function that finds them for a request,
   * such as by its plan, and lets it pass uncounted by undefined.
   */
  readonly limiter: Limits | ((request: Request) => Awaitable<Limits | undefined>)
  /** Whom a request counts for; undefined lets it pass uncounted. Default: its client's address */
  readonly key?: ((request: Keyed) => Awaitable<string | undefined>) | undefined
  /** How much it costs. Default: 1 */
  readonly cost?: number | ((request: Priced) => Awaitable<number>) | undefined
  /** Requests that pass uncounted, such as health checks. Default: none */
  readonly skip?: ((request: Skipped) => Awaitable<boolean>) | undefined
  /**
   * Which answers count: those that do not are given back when they have been sent, and a limit with a `refund` is needed. A status
   * of 400 or more is a failure. Default: `'all'`
   */
  readonly count?: 'all' | 'failed' | 'successful' | undefined
  /** While the limiter's store is not available, or the limiter is closed: let requests pass, or answer 503. Default: `'open'` */
  readonly whenUnavailable?: 'open' | 'closed' | undefined
  /** Status for a request that costs more than can ever pass. Default: 413 */
  readonly tooCostly?: 413 | 429 | undefined
  /** Name of the policy in headers, where there is one limit. Default: the limiter's name */
  readonly policy?: string | undefined
  /** Sends `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds) too. Default: false */
  readonly legacyHeaders?: boolean | undefined
  /** Makes another answer of the one that a refused request would get. Default: a problem document (RFC 9457) */
  readonly refuse?: ((refusal: Refusal, request: Refused) => Awaitable<Refusal>) | undefined
}

/** The names of {@link HttpLimitOptions}. */
const HTTP_LIMIT_OPTIONS: OptionNames<HttpLimitOptions<never>> = {
  limiter: true,
  key: true,
  cost: true,
  skip: true,
  count: true,
  whenUnavailable: true,
  tooCostly: true,
  policy: true,
  legacyHeaders: true,
  refuse: true,
  trustedProxies: true,
  trustedHops: true,
  ipv6Prefix: true,
}

/** The answer to a request that does not pass. */
export interface Refusal {
  /** 429 where a limit is exceeded, `tooCostly` where it can never be met, 503 where its store is away. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What to do with a request: add the headers and go on, or answer with this. */
export type HttpVerdict =
  | {
      readonly pass: true
      readonly headers: Readonly<Record<string, string>>
      /** To be told the status of the answer, where not all count. */
      readonly settle?: ((status: number) => Promise<void>) | undefined
    }
  | ({ readonly pass: false } & Refusal)

/** By draft-ietf-httpapi-ratelimit-headers, section Problem Types. */
const QUOTA_EXCEEDED = 'https://iana.org/assignments/http-problem-types#quota-exceeded'

const UNCOUNTED: HttpVerdict = { pass: true, headers: {} }

/** The limit of a server, apart from any framework: adapters translate requests and verdicts. */
export class HttpLimit<Request> {
  readonly #options: HttpLimitOptions<Request>
  readonly #addressOf: ClientAddress
  /** Unless they depend on the request. */
  readonly #limits: KeyedLimits<KeyedDecider> | undefined

  constructor(options: HttpLimitOptions<Request>) {
    checkOptions('', options, HTTP_LIMIT_OPTIONS)
    const { limiter, key, cost, skip, refuse, policy, count = 'all' } = options
    checkOneOf('whenUnavailable', options.whenUnavailable ?? 'open', ['open', 'closed'])
    checkOneOf('count', count, ['all', 'failed', 'successful'])
    checkBoolean('legacyHeaders', options.legacyHeaders ?? false)
    const { tooCostly = 413 } = options
    if (tooCostly !== 413 && tooCostly !== 429) {
      throw new InvalidOptionError('tooCostly', '413 or 429', tooCostly)
    }
    for (const [name, fn] of Object.entries({ key, skip, refuse })) {
      if (fn !== undefined) checkFunction(name, fn)
    }
    const priced = typeof cost === 'number' && cost >= 0 && cost < Infinity
    if (typeof cost !== 'function' && cost !== undefined && !priced) {
      throw new InvalidOptionError('cost', 'a finite number of at least 0, or a function', cost)
    }
    if (policy !== undefined) checkText('policy', policy)
    if (typeof limiter !== 'function') {
      const limits = listOf(limiter)
      for (const limit of limits) checkDecider(limit, limits.length > 1 || count !== 'all')
      this.#limits = new KeyedLimits(limits.map(keyedDecider))
    }
    this.#options = options
    const { trustedProxies, trustedHops, ipv6Prefix } = options
    this.#addressOf = clientAddress({ trustedProxies, trustedHops, ipv6Prefix })
  }

  /**
   * @throws (by rejection) {ClientAddressError} for a request without an address or a key; what the user's functions throw
   */
  async check(request: Request, facts: RequestFacts): Promise<HttpVerdict> {
    const { limiter, key, cost = 1, skip, count = 'all' } = this.#options
    if (await skip?.(request)) return UNCOUNTED
    const found = typeof limiter === 'function' ? await limiter(request) : limiter
    if (found === undefined) return UNCOUNTED
    const limits = listOf(found)
    const together = key === undefined && limits.every(isCommon)
    const whom = together ? '' : key ? await key(request) : this.#address(facts)
    if (whom === undefined) return UNCOUNTED
    if (typeof whom !== 'string') {
      throw new InvalidOptionError('key', 'a function that returns a string', whom)
    }
    const price = typeof cost === 'function' ? await cost(request) : cost
    const deciders = limits.map(keyedDecider)
    let outcomes: readonly PartDecision<KeyedDecider>[]
    try {
      const joint = this.#limits ?? new KeyedLimits(deciders)
      outcomes = (await joint.decide(whom, price)).parts
    } catch (error) {
      if (isTooCostly(error, price)) {
        const { tooCostly = 413 } = this.#options
        const title = 'Request Costs More Than Its Limit'
        return this.#refuse({ type: 'about:blank', title, status: tooCostly }, {}, request)
      }
      const known =
        error instanceof LimitStoreUnavailableError || error instanceof LimiterClosedError
      if (!known) throw error
      if (this.#options.whenUnavailable !== 'closed') return UNCOUNTED
      return this.#refuse({ title: 'Service Unavailable', status: 503 }, {}, request)
    }
    const headers = this.#headers(outcomes)
    const violated = outcomes.filter(({ decision }) => !decision.allowed)
    if (violated.length === 0) {
      if (count === 'all') return { pass: true, headers }
      const settle = async (status: number) => {
        if (status >= 400 === (count === 'failed')) return
        await Promise.all(deciders.map(limit => limit.refund?.(whom, price)))
      }
      return { pass: true, headers, settle }
    }
    const names = violated.map(({ limiter: limit }) => this.#policyName(limit))
    const problem = { type: QUOTA_EXCEEDED, title: 'Too Many Requests', status: 429 }
    return this.#refuse({ ...problem, 'violated-policies': names }, headers, request)
  }

  #address(facts: RequestFacts): string {
    const address = this.#addressOf(facts.remoteAddress, facts.forwardedFor)
    // One bucket for all that have none would be one for all clients.
    if (address === undefined) throw new ClientAddressError()
    return address
  }

  #headers(outcomes: readonly PartDecision<KeyedDecider>[]): Record<string, string> {
    const headers: Record<string, string> = {}
    for (const { limiter, decision } of outcomes.flatMap(parted)) {
      const policy: RateLimitPolicy = {
        ...policyOf(limiter, decision),
        name: this.#policyName(limiter),
      }
      mergeRateLimitHeaders(headers, rateLimitHeaders(decision, policy))
    }
    if (this.#options.legacyHeaders) {
      const scarcest = outcomes.reduce((least, outcome) =>
        outcome.decision.remaining < least.decision.remaining ? outcome : least,
      )
      Object.assign(headers, legacyHeaders(scarcest.decision))
    }
    return headers
  }

  #policyName(limiter: KeyedDecider): string {
    return policyLabel(this.#options.policy ?? limiter.name)
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

/** What is announced: of several limits in one each by itself, as none has the quota of all. */
function parted(outcome: PartDecision<KeyedDecider>): readonly PartDecision<KeyedDecider>[] {
  const { parts } = outcome.decision as Partial<JointDecision<KeyedDecider>>
  return parts === undefined || parts.length === 0 ? [outcome] : parts.flatMap(parted)
}

/** Adds a limit's headers to those of others: RateLimit fields are lists, and the longest Retry-After holds for all. */
function mergeRateLimitHeaders(
  into: Record<string, string>,
  headers: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(headers)) {
    into[name] = mergedHeader(name, into[name], value)
  }
}

/** What a header of a limit becomes beside the value that another has set, if any has. */
export function mergedHeader(name: string, earlier: unknown, value: string): string {
  const before = `${earlier ?? ''}`
  if (before === '') return value
  if (/^ratelimit(-policy)?$/i.test(name)) return `${before}, ${value}`
  if (/^retry-after$/i.test(name)) return `${Math.max(Number(before) || 0, Number(value))}`
  return value
}

/** Whether a limiter has refused a price that is one, as more than can ever pass. */
function isTooCostly(error: unknown, price: number): boolean {
  // Of a type that is no number it is the application's mistake, whatever it compares as.
  if (typeof price !== 'number') return false
  return error instanceof InvalidOptionError && error.option === 'cost' && price >= 0
}

function listOf(limiter: Limits): readonly (KeyedDecider | CommonDecider)[] {
  return Array.isArray(limiter) ? limiter : [limiter as KeyedDecider | CommonDecider]
}

function checkDecider(limiter: KeyedDecider | CommonDecider, refunds: boolean): void {
  if (typeof limiter?.decide !== 'function' || typeof limiter.name !== 'string') {
    throw new InvalidOptionError('limiter', 'a limiter, several, or a function', limiter)
  }
  if (refunds && typeof limiter.refund !== 'function') {
    throw new InvalidOptionError('limiter', 'a limiter that takes refunds', limiter)
  }
}
