import { nameText } from '../span/inputs.ts'

/** W3C baggage: of a header with more bytes or members, those members count that fit as a whole. */
const MAX_BYTES = 8_192
const MAX_MEMBERS = 180

/** A token of RFC 7230, as the specification requires of keys. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

export interface BaggageEntry {
  readonly value: string
  /** What follows the value after `;`, verbatim. */
  readonly metadata?: string | undefined
}

/** Immutable key-value pairs that travel along with a trace (W3C baggage). */
export class Baggage {
  readonly #entries: ReadonlyMap<string, BaggageEntry>

  constructor(entries: Iterable<readonly [string, BaggageEntry]> = []) {
    this.#entries = new Map(entries)
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): string | undefined {
    return this.#entries.get(key)?.value
  }

  entries(): IterableIterator<[string, BaggageEntry]> {
    return new Map(this.#entries).entries()
  }

  /**
   * Adds or replaces an entry. A key may be any text but the empty one, which changes nothing; one that is no token of HTTP is sent
   * percent-encoded, as OpenTelemetry's own propagators do.
   */
  set(key: string, value: string, metadata?: string): Baggage {
    if (typeof key !== 'string' || key === '') return this
    const entry = metadata === undefined ? { value } : { value, metadata }
    return new Baggage([...this.#entries, [key, entry]])
  }

  delete(key: string): Baggage {
    return new Baggage([...this.#entries].filter(([other]) => other !== key))
  }

  /** Reads a header. Malformed members are left out; never throws. */
  static parse(header: string): Baggage {
    const entries: [string, BaggageEntry][] = []
    let end = -1
    for (const member of header.split(',')) {
      end += member.length + 1
      if (end > MAX_BYTES || entries.length === MAX_MEMBERS) break
      const semicolon = member.indexOf(';')
      const pair = semicolon < 0 ? member : member.slice(0, semicolon)
      const equals = pair.indexOf('=')
      const key = pair.slice(0, equals).trim()
      if (equals < 1 || !TOKEN.test(key)) continue
      const value = decode(pair.slice(equals + 1).trim())
      if (value === undefined) continue
      const metadata = semicolon < 0 ? '' : member.slice(semicolon + 1).trim()
      entries.push([decodeKey(key), metadata === '' ? { value } : { value, metadata }])
    }
    return new Baggage(entries)
  }

  /** The header's value, within the specification's limits; empty where there is nothing to send. */
  serialize(): string {
    let header = ''
    let members = 0
    for (const [key, { value, metadata }] of this.#entries) {
      let member = `${encodeKey(key)}=${encode(value)}`
      if (metadata !== undefined && isHeaderSafe(metadata)) member += `;${metadata}`
      const next = header === '' ? member : `${header},${member}`
      if (members === MAX_MEMBERS) break
      if (next.length > MAX_BYTES || key === '') continue
      header = next
      members++
    }
    return header
  }
}

/** Visible ASCII without the comma that would begin a new member. */
function isHeaderSafe(text: string): boolean {
  return /^[\x20-\x2b\x2d-\x7e]*$/.test(text)
}

/** A key as it is sent: tokens as they are, unless the receiver would take them for encoded ones. */
function encodeKey(key: string): string {
  if (TOKEN.test(key) && decodeKey(key) === key) return key
  return encode(key).replace(/[()]/g, paren => (paren === '(' ? '%28' : '%29'))
}

/** What was sent as this key: itself, unless it is what {@link encodeKey} makes of another one. */
function decodeKey(sent: string): string {
  if (!sent.includes('%')) return sent
  const key = decode(sent)
  return key !== undefined && key !== sent && encodeKey(key) === sent ? key : sent
}

/** Percent-encodes what a baggage octet cannot be; lone surrogates become U+FFFD instead of an exception. */
function encode(value: string): string {
  return encodeURIComponent(nameText(value).toWellFormed())
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
