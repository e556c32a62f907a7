/** W3C baggage: a header of more bytes or members is cut at the last member that fits. */
const MAX_BYTES = 8_192
const MAX_MEMBERS = 180

/** A token of RFC 7230, as the specification requires of keys. */
const KEY = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

export interface BaggageEntry {
  readonly value: string
  /** What follows the value after `;`, verbatim. */
  readonly metadata?: string
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

  set(key: string, value: string, metadata?: string): Baggage {
    const entry = metadata === undefined ? { value } : { value, metadata }
    return new Baggage([...this.#entries, [key, entry]])
  }

  delete(key: string): Baggage {
    return new Baggage([...this.#entries].filter(([other]) => other !== key))
  }

  /** Reads a header. Malformed members are left out; never throws. */
  static parse(header: string): Baggage {
    const entries: [string, BaggageEntry][] = []
    for (const member of header.slice(0, MAX_BYTES).split(',')) {
      const semicolon = member.indexOf(';')
      const pair = semicolon < 0 ? member : member.slice(0, semicolon)
      const equals = pair.indexOf('=')
      const key = pair.slice(0, equals).trim()
      if (equals < 1 || !KEY.test(key)) continue
      const value = decode(pair.slice(equals + 1).trim())
      if (value === undefined) continue
      const metadata = semicolon < 0 ? '' : member.slice(semicolon + 1).trim()
      entries.push([key, metadata === '' ? { value } : { value, metadata }])
      if (entries.length === MAX_MEMBERS) break
    }
    return new Baggage(entries)
  }

  /** The header's value, within the specification's limits; empty where there is nothing to send. */
  serialize(): string {
    let header = ''
    let members = 0
    for (const [key, { value, metadata }] of this.#entries) {
      if (!KEY.test(key)) continue
      let member = `${key}=${encode(value)}`
      if (metadata !== undefined && isHeaderSafe(metadata)) member += `;${metadata}`
      const next = header === '' ? member : `${header},${member}`
      if (next.length > MAX_BYTES || members === MAX_MEMBERS) break
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

/** Percent-encodes what a baggage octet cannot be; lone surrogates become U+FFFD instead of an exception. */
function encode(value: string): string {
  return encodeURIComponent(String(value).toWellFormed())
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
