import type { Transform } from 'node:stream'
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib'
import { ResponseTooLargeError } from '../errors.ts'
import type { Controller, Handler, ResponseHeaders } from '../handler.ts'
import { Relay } from '../relay.ts'

/** What describes the bytes as they were sent. */
const ENCODED_HEADERS: readonly string[] = ['content-encoding', 'content-length']

/** Sent where the caller does not say what it accepts. */
export const ACCEPT_ENCODING = 'zstd, br, gzip, deflate'

/** More layers than one are not in use; RFC 9110 sets no bound, and each multiplies what a bomb can do. */
const MAX_LAYERS = 2

/** Truncated streams are an error of theirs, as for browsers and curl: a body cut short must not pass for whole. */
const decoders: Readonly<Record<string, (first: Buffer) => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  // RFC 9110 section 8.4.1.2: some servers leave out the zlib wrapper, whose first byte names its method, 8.
  deflate: first => ((first[0]! & 0x0f) === 8 ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
}

/**
 * Between a request and its caller: turns `content-encoding` back into plain bytes.
 *
 * The bound on the size holds for what comes out, and is checked while it comes out, so a small response
 * that unpacks to gigabytes is cut off at the bound. What is not known is passed on as it is.
 */
export class Decompression extends Relay {
  readonly buffersResponse: boolean
  readonly #maxSize: number
  readonly #origin: string
  #decoders: Transform[] = []
  #encodings: readonly string[] = []
  #size = 0
  #trailers: ResponseHeaders = {}

  constructor(downstream: Handler, maxSize: number, origin: string) {
    super(downstream)
    this.#maxSize = maxSize
    this.#origin = origin
    this.buffersResponse = downstream.buffersResponse === true
  }

  override pause(): void {
    this.paused = true
    const source = this.#decoders.at(-1) ?? this.upstream
    source?.pause()
  }

  override resume(): void {
    this.paused = false
    const source = this.#decoders.at(-1) ?? this.upstream
    source?.resume()
  }

  abort(reason: Error): void {
    if (this.settled) return
    this.aborted = true
    this.reason = reason
    this.#fail(reason)
  }

  override onRequestUpgrade(
    _controller: Controller,
    ...rest: [number, ResponseHeaders, Parameters<NonNullable<Handler['onRequestUpgrade']>>[3]]
  ): void {
    this.downstream.onRequestUpgrade?.(this, ...rest)
  }

  override onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    this.rawHeaders = controller.rawHeaders ?? null
    this.#reset()
    // A part of a compressed body unpacks to nothing.
    const isWhole = statusCode >= 200 && ![204, 206, 304].includes(statusCode)
    const encodings = isWhole ? layers(headers) : []
    if (encodings.length === 0) {
      this.downstream.onResponseStart?.(this, statusCode, headers, statusMessage)
      return
    }
    this.#encodings = encodings
    const plain: ResponseHeaders = { ...headers }
    for (const name of ENCODED_HEADERS) delete plain[name]
    this.rawHeaders = plainRawHeaders(controller.rawHeaders)
    this.downstream.onResponseStart?.(this, statusCode, plain, statusMessage)
  }

  override onResponseData(_controller: Controller, chunk: Buffer): void {
    // Not before there are bytes: an empty body is no compressed stream.
    if (this.#encodings.length > 0 && this.#decoders.length === 0)
      this.#decode(this.#encodings, chunk)
    const first = this.#decoders[0]
    if (first === undefined) this.downstream.onResponseData?.(this, chunk)
    else if (!first.write(chunk)) this.upstream!.pause()
  }

  override onResponseEnd(_controller: Controller, trailers: ResponseHeaders): void {
    this.#trailers = trailers
    if (this.#decoders.length > 0) {
      this.#decoders[0]!.end()
      return
    }
    this.end(trailers)
  }

  override onResponseError(_controller: Controller | null, error: Error): void {
    if (!this.settled) this.#fail(error)
  }

  #decode(encodings: readonly string[], first: Buffer): void {
    const chain = encodings.map(encoding => decoders[encoding]!(first))
    this.#decoders = chain
    chain[0]!.on('drain', () => this.upstream!.resume())
    for (const [index, decoder] of chain.entries()) {
      decoder.on('error', error => this.#fail(error))
      if (index > 0) chain[index - 1]!.pipe(decoder)
    }
    const last = chain.at(-1)!
    last.on('data', (chunk: Buffer) => this.#onPlain(chunk))
    last.on('end', () => this.end(this.#trailers))
    if (this.paused) last.pause()
  }

  #onPlain(chunk: Buffer): void {
    if (this.settled) return
    this.#size += chunk.length
    if (this.#size > this.#maxSize)
      this.#fail(new ResponseTooLargeError(this.#maxSize, this.#origin))
    else this.downstream.onResponseData?.(this, chunk)
  }

  #fail(error: Error): void {
    if (this.settled) return
    this.settled = true
    this.#reset()
    this.upstream?.abort(error)
    this.downstream.onResponseError?.(this, error)
  }

  /** Another attempt begins anew, and an abandoned decoder must not keep its memory. */
  #reset(): void {
    for (const decoder of this.#decoders)
      decoder
        .removeAllListeners()
        .on('error', () => {})
        .destroy()
    this.#decoders = []
    this.#encodings = []
    this.#size = 0
  }
}

/** Without what described the compressed bytes: `undici.fetch` reads these and would unpack a second time. */
function plainRawHeaders(raw: Controller['rawHeaders']): Buffer[] | null {
  if (!Array.isArray(raw)) return null
  const plain: Buffer[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as Buffer
    if (ENCODED_HEADERS.includes(name.toString('latin1').toLowerCase())) continue
    plain.push(name, raw[i + 1] as Buffer)
  }
  return plain
}

/** The encodings in the order in which they are undone; none if one of them is unknown. */
function layers(headers: ResponseHeaders): string[] {
  const header = headers['content-encoding']
  if (header === undefined) return []
  const names = String(header)
    .toLowerCase()
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '' && name !== 'identity')
  const areKnown = names.length <= MAX_LAYERS && names.every(name => Object.hasOwn(decoders, name))
  return areKnown ? names.reverse() : []
}
