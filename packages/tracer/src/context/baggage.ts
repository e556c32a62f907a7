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

/**
 * Immutable key-value pairs that travel along with a trace (W3C baggage). Entries are copied; what is none (an empty key, something else
 * than text and an object) is left out.
 */
export class Baggage {
  #entries: ReadonlyMap<string, BaggageEntry> = new Map()

  constructor(entries: Iterable<readonly [string, BaggageEntry]> = []) {
    const kept = new Map<string, BaggageEntry>()
    for (const [key, entry] of entries) {
      if (typeof key !== 'string' || key === '' || typeof entry !== 'object' || entry === null)
        continue
      kept.set(key, entryOf(entry.value, entry.metadata))
    }
    this.#entries = kept
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
    return Baggage.#of(new Map(this.#entries).set(key, entryOf(value, metadata)))
  }

  delete(key: string): Baggage {
    const rest = new Map(this.#entries)
    return rest.delete(key) ? Baggage.#of(rest) : this
  }

  static #of(entries: ReadonlyMap<string, BaggageEntry>): Baggage {
    const baggage = new Baggage()
    baggage.#entries = entries
    return baggage
  }

  /** Reads a header. Malformed members are left out; never throws. */
  static parse(header: string): Baggage {
    const entries = new Map<string, BaggageEntry>()
    let end = -1
    let members = 0
    // JavaScript may pass anything.
    if (typeof header !== 'string') return new Baggage()
    for (const member of header.split(',')) {
      end += member.length + 1
      if (end > MAX_BYTES || members === MAX_MEMBERS) break
      const semicolon = member.indexOf(';')
      const pair = semicolon < 0 ? member : member.slice(0, semicolon)
      const equals = pair.indexOf('=')
      const key = pair.slice(0, equals).trim()
      if (equals < 1 || !TOKEN.test(key)) continue
      const value = decodeValue(pair.slice(equals + 1).trim())
      const metadata = semicolon < 0 ? '' : member.slice(semicolon + 1).trim()
      entries.set(decodeKey(key), entryOf(value, metadata === '' ? undefined : metadata))
      members++
    }
    return Baggage.#of(entries)
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
      if (next.length > MAX_BYTES) continue
      header = next
      members++
    }
    return header
  }
}

/** An entry as it is now, frozen: of what JavaScript may pass, a value becomes text and metadata must be. */
function entryOf(value: unknown, metadata: unknown): BaggageEntry {
  const text = nameText(value)
  return Object.freeze(typeof metadata === 'string' ? { value: text, metadata } : { value: text })
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
  return encodeURIComponent(value.toWellFormed())
}

/** As the specification has it: octets that are no UTF-8 become U+FFFD, and a percent sign without two digits stays. */
function decodeValue(value: string): string {
  return value.replace(/(?:%[\da-f]{2})+/gi, octets =>
    Buffer.from(octets.replaceAll('%', ''), 'hex').toString(),
  )
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
