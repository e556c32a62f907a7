import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import { Relay } from '../relay.ts'
import type { ExchangeOptions } from '../request/exchange-options.ts'
import { isTransient } from '../retry/transient-errors.ts'
import type { CacheSettings } from './cache-settings.ts'
import { withValidAge } from './fields/age-field.ts'
import { correspond, freshened } from './fields/freshened-headers.ts'
import { rawHeaders } from './fields/raw-headers.ts'
import { asWhole, understood, unkept } from './fields/understood-response.ts'
import { chunks, isPart } from './partial-response.ts'
import { answersGet, POSTED } from './posted-response.ts'
import type { CacheKey, StoredResponse, UndiciStore } from './response-store.ts'

/**
 * Between undici's cache and the request: turns a 304 into the whole response that it stands for, the stored
 * one with its headers brought up to date (RFC 9111 section 4.3.4). The cache takes that for a new response
 * and keeps it with its new lifetime.
 *
 * Without it undici 8 hands out the stored response as it was: the new headers are lost, each further
 * request is validated again, and if the 304 has a `Cache-Control` the entry is dropped.
 */
export class Freshening extends Relay {
  readonly #store: UndiciStore
  readonly #options: ExchangeOptions
  readonly #settings: Pick<CacheSettings, 'targets' | 'type' | 'gateway'>
  readonly #identity: readonly string[]
  #notModified: { headers: ResponseHeaders; statusMessage: string | undefined } | undefined
  /** The answer to a 304 has been handed on, up to its end. */
  #isAnswered = false
  /** Of a final response, handed on. */
  #hasHead = false

  /**
   * @param identity headers of the request that the response is kept for alone, in lower case
   */
  constructor(
    store: UndiciStore,
    options: ExchangeOptions,
    settings: Pick<CacheSettings, 'targets' | 'type' | 'gateway'>,
    identity: readonly string[],
    downstream: Handler,
  ) {
    super(downstream)
    this.#store = store
    this.#options = options
    this.#settings = settings
    this.#identity = identity
  }

  override pause(): void {
    this.paused = true
    if (this.#notModified === undefined) this.upstream?.pause()
  }

  override resume(): void {
    this.paused = false
    if (this.#notModified === undefined) this.upstream?.resume()
    else if (this.#isAnswered) this.end({})
  }

  abort(reason: Error): void {
    if (this.settled) return
    this.aborted = true
    this.reason = reason
    this.#fail(reason)
    this.upstream?.abort(reason)
  }

  override onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    this.rawHeaders = controller.rawHeaders ?? null
    const valid = withValidAge(headers)
    if (statusCode === 304) this.#notModified = { headers: valid, statusMessage }
    else this.#start(statusCode, valid, statusMessage)
  }

  override onResponseData(_controller: Controller, chunk: Buffer): void {
    this.downstream.onResponseData?.(this, chunk)
  }

  override onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.rawTrailers = controller.rawTrailers ?? null
    if (this.#notModified === undefined) {
      this.end(trailers)
      return
    }
    const { origin, path, method, headers } = this.#options
    const key = { origin: String(origin), path, method, headers } as CacheKey
    const stored = this.#store.get(key)
    if (stored instanceof Promise) {
      stored.then(found => this.#answer(found)).catch(error => this.#fail(error))
    } else {
      this.#answer(stored)
    }
  }

  override onResponseError(_controller: Controller | null, error: Error): void {
    if (this.#isCutOff(error)) {
      const headers = { date: new Date().toUTCString(), 'content-length': '0' }
      this.rawHeaders = rawHeaders(headers)
      this.#start(504, headers, 'Gateway Timeout')
      this.end({})
    } else {
      this.#fail(error)
    }
  }

  /** Whether what is kept cannot be validated, which is what a gateway has an answer for. */
  #isCutOff(error: Error): boolean {
    const asked = this.#options.headers as ResponseHeaders
    // undici sets it in every validation; a caller's own is not among these.
    const isValidation = asked['if-modified-since'] !== undefined
    return this.#settings.gateway && isValidation && !this.#hasHead && isTransient(error)
  }

  /** The store has said what it holds. If it is not what the 304 is about, that goes on as it came. */
  #answer(stored: StoredResponse): void {
    if (this.settled) return
    const { headers, statusMessage } = this.#notModified!
    const asked = this.#options.headers as ResponseHeaders
    if (stored === undefined || !correspond(asked, headers, stored)) {
      this.#start(304, headers, statusMessage)
    } else {
      const updated = freshened(stored.headers, headers)
      this.rawHeaders = rawHeaders(updated)
      this.#start(stored.statusCode, updated, stored.statusMessage)
      for (const chunk of chunks(stored.body)) this.downstream.onResponseData?.(this, chunk)
    }
    this.#isAnswered = true
    // The cache pauses while it looks for what a 304 is about.
    if (!this.paused) this.end({})
  }

  #start(statusCode: number, headers: ResponseHeaders, statusMessage: string | undefined): void {
    if (statusCode < 200) {
      this.downstream.onResponseStart?.(this, statusCode, headers, statusMessage)
      return
    }
    this.#hasHead = true
    const asked = this.#options.headers as ResponseHeaders
    const { targets, type } = this.#settings
    const isOwn = type === 'private' && asked.authorization !== undefined
    const known = understood(statusCode, headers, targets, this.#identity, isOwn)
    // What an attempt got as another user is not for the one it was looked up for.
    const told = this.#options.identified?.hasChanged === true ? unkept(known) : known
    if (isPart(statusCode, asked, headers)) {
      this.downstream.onResponseStart?.(this, 200, asWhole(statusCode, told), statusMessage)
    } else {
      const isKept = asked[POSTED] === undefined || answersGet(this.#options, statusCode, told)
      this.downstream.onResponseStart?.(
        this,
        statusCode,
        isKept ? told : unkept(told),
        statusMessage,
      )
    }
  }

  #fail(error: Error): void {
    if (this.settled) return
    this.settled = true
    this.downstream.onResponseError?.(this, error)
  }
}
