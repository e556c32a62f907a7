import type { Buffer } from 'node:buffer'
import { ForwardingHandler } from '../forwarding-handler.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import { type ByteRange, byteRange } from './fields/byte-range.ts'
import { parseHttpDate } from './fields/http-date.ts'
import { rawHeaders } from './fields/raw-headers.ts'
import { asReceived, receivedStatus } from './fields/understood-response.ts'
import type { Conditions } from './lookup.ts'
import { isSameBody, rangeHeaders } from './partial-response.ts'

/** What a 304 has no use for: its body is the caller's own. */
const DESCRIBING_HEADERS: readonly string[] = [
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'transfer-encoding',
]

/** What comes out of the cache is whole: of it the caller gets what its conditions and its range ask for (RFC 9110 section 13.2.2). */
export class Selection extends ForwardingHandler {
  readonly #list: readonly string[]
  readonly #conditions: Conditions | undefined
  /** The origin decides, by the conditions of the caller. */
  #isForwarded = false
  /** What follows goes to the store only: a renewal in the background. */
  #hasHead = false
  #part: ByteRange | undefined
  #received = 0

  /** @param list names and values of the request's headers, as the caller has sent them */
  constructor(list: readonly string[], conditions: Conditions | undefined, downstream: Handler) {
    super(downstream)
    this.#list = list
    this.#conditions = conditions
  }

  /** Whether the caller has got its answer, so that what the cache asks for now is for itself. */
  get isAnswered(): boolean {
    return this.#hasHead
  }

  /**
   * The headers to send, for a request that the cache passes on: the caller's own. If it validates what is stored, its conditions take
   * the place of the caller's.
   *
   * @param asked with the conditions of the cache
   */
  forward(asked: ResponseHeaders): string[] {
    // undici sets it in every validation.
    const since = asked['if-modified-since']
    if (since === undefined) {
      this.#isForwarded = true
      return [...this.#list]
    }
    const isBackground = this.#hasHead
    const list: string[] = []
    for (let i = 0; i < this.#list.length; i += 2) {
      const name = this.#list[i]!.toLowerCase()
      const isReplaced =
        name === 'if-none-match' || name === 'if-modified-since' || name === 'if-range'
      if (!isReplaced && !(isBackground && name === 'range')) list.push(name, this.#list[i + 1]!)
    }
    list.push('if-modified-since', String(since))
    const tag = asked['if-none-match']
    if (tag !== undefined) list.push('if-none-match', String(tag))
    return list
  }

  override onResponseStart(
    controller: Controller,
    told: number,
    given: ResponseHeaders,
    statusMessage?: string,
  ): void {
    const statusCode = receivedStatus(told, given)
    const headers = asReceived(given)
    if (statusCode >= 200) this.#hasHead = true
    const conditions = this.#conditions
    if (statusCode !== 200 || this.#isForwarded || conditions === undefined) {
      super.onResponseStart(controller, statusCode, headers, statusMessage)
    } else if (isNotModified(conditions, headers)) {
      this.#part = { start: 0, end: 0 }
      this.#start(controller, 304, without(headers, DESCRIBING_HEADERS), 'Not Modified')
    } else {
      this.#startPart(controller, conditions, headers, statusMessage)
    }
  }

  override onResponseData(controller: Controller, chunk: Buffer): void {
    const part = this.#part
    if (part === undefined) {
      super.onResponseData(controller, chunk)
      return
    }
    const at = this.#received
    this.#received += chunk.length
    const from = Math.max(part.start - at, 0)
    const to = Math.min(part.end - at, chunk.length)
    if (from < to) super.onResponseData(controller, chunk.subarray(from, to))
  }

  #startPart(
    controller: Controller,
    { range, ifRange }: Conditions,
    headers: ResponseHeaders,
    statusMessage: string | undefined,
  ): void {
    const length = Number(headers['content-length'] ?? Number.NaN)
    const isAsked =
      range !== undefined &&
      (ifRange === undefined || isSameBody(ifRange, headers)) &&
      Number.isInteger(length)
    const part = isAsked ? byteRange(range, length) : undefined
    if (part === undefined) {
      super.onResponseStart(controller, 200, headers, statusMessage)
    } else if (part === null) {
      this.#part = { start: 0, end: 0 }
      const unsatisfied = {
        ...headers,
        'content-range': `bytes */${length}`,
        'content-length': '0',
      }
      this.#start(controller, 416, unsatisfied, 'Range Not Satisfiable')
    } else {
      this.#part = part
      const partial = { ...headers, ...rangeHeaders(part, length) }
      this.#start(controller, 206, partial, 'Partial Content')
    }
  }

  #start(controller: Controller, status: number, headers: ResponseHeaders, text: string): void {
    // `undici.fetch` reads these and not the parsed ones.
    controller.rawHeaders = rawHeaders(headers)
    super.onResponseStart(controller, status, headers, text)
  }
}

function without(headers: ResponseHeaders, names: readonly string[]): ResponseHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))
}

/** RFC 9110 section 13.1: tags have precedence over dates, and are compared weakly. */
function isNotModified(
  { ifNoneMatch, ifModifiedSince }: Conditions,
  headers: ResponseHeaders,
): boolean {
  const { etag, date, 'last-modified': modified = date } = headers
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return true
    const tags: readonly string[] = ifNoneMatch.match(/"[^"]*"/g) ?? []
    return typeof etag === 'string' && tags.includes(etag.replace(/^W\//, ''))
  }
  const since = ifModifiedSince === undefined ? undefined : parseHttpDate(ifModifiedSince.trim())
  const at = typeof modified === 'string' ? parseHttpDate(modified) : undefined
  return since !== undefined && at !== undefined && at <= since
}
