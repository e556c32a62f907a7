/** A member of a structured field list (RFC 9651): a string, token or number with parameters. */
export interface Item {
  readonly value: string | number | boolean
  readonly parameters: ReadonlyMap<string, string | number | boolean>
}

const KEY = /[a-z*][a-z0-9_\-.*]*/y
const NUMBER = /-?\d{1,12}(?:\.\d{1,3})?(?![\d.])|-?\d{13,15}(?![\d.])/y
const STRING = /"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/y
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*/y
const BYTES = /:([A-Za-z0-9+/=]*):/y
const DATE = /@(-?\d{1,15})(?![\d.])/y
const DISPLAY = /%"((?:[\x20-\x21\x23-\x24\x26-\x7e]|%[0-9a-f]{2})*)"/y
const BOOLEAN = /\?([01])/y
const SPACE = /[ \t]*/y

/** Parses a list of items; undefined if any of it is malformed, as RFC 9651 section 4.2 has the whole field ignored. */
export function parseList(text: string): Item[] | undefined {
  const reader = new Reader(text.replace(/^ +| +$/g, ''))
  const items: Item[] = []
  if (reader.done) return items
  for (;;) {
    const value = reader.bareItem()
    const parameters = value === undefined ? undefined : reader.parameters()
    if (value === undefined || parameters === undefined) return undefined
    items.push({ value, parameters })
    reader.match(SPACE)
    if (reader.done) return items
    if (!reader.skip(',')) return undefined
    reader.match(SPACE)
    // A trailing comma is malformed.
    if (reader.done) return undefined
  }
}

/** Writes a string item of printable ASCII. */
export function serializeString(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at = pattern.lastIndex
    return match
  }

  bareItem(): string | number | boolean | undefined {
    const string = this.match(STRING)
    if (string) return string[1]!.replace(/\\(.)/g, '$1')
    const number = this.match(NUMBER)
    if (number) return Number(number[0])
    const token = this.match(TOKEN)
    if (token) return token[0]
    const bytes = this.match(BYTES)
    if (bytes) return bytes[1]!
    const date = this.match(DATE)
    if (date) return Number(date[1])
    const display = this.match(DISPLAY)
    if (display) return display[1]!
    const boolean = this.match(BOOLEAN)
    return boolean ? boolean[1] === '1' : undefined
  }

  parameters(): Map<string, string | number | boolean> | undefined {
    const parameters = new Map<string, string | number | boolean>()
    while (this.skip(';')) {
      this.match(/ */y)
      const key = this.match(KEY)
      if (key === undefined) return undefined
      const value = this.skip('=') ? this.bareItem() : true
      if (value === undefined) return undefined
      parameters.set(key[0], value)
    }
    return parameters
  }
}
