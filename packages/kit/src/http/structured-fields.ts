/** What an item of a structured field holds (RFC 9651): a string, a token, a number, … */
export type BareItem = string | number | boolean

/** An item with its parameters. */
export interface StructuredItem {
  readonly value: BareItem
  /** As it is written, without its parameters. */
  readonly text: string
  readonly parameters: ReadonlyMap<string, BareItem>
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
export function parseList(text: string): StructuredItem[] | undefined {
  const items: StructuredItem[] = []
  const isWhole = readMembers(text, reader => {
    const item = reader.item()
    if (item !== undefined) items.push(item)
    return item !== undefined
  })
  return isWhole ? items : undefined
}

/** Parses a dictionary of items, by name; undefined if any of it is malformed. */
export function parseDictionary(text: string): Map<string, StructuredItem> | undefined {
  const members = new Map<string, StructuredItem>()
  const isWhole = readMembers(text, reader => {
    const name = reader.match(KEY)?.[0]
    if (name === undefined) return false
    const item = reader.skip('=') ? reader.item() : reader.flag()
    if (item !== undefined) members.set(name, item)
    return item !== undefined
  })
  return isWhole ? members : undefined
}

/** Reads what commas separate. @returns whether all of it is well-formed */
function readMembers(text: string, read: (reader: Reader) => boolean): boolean {
  const reader = new Reader(text.replace(/^ +| +$/g, ''))
  if (reader.done) return true
  while (read(reader)) {
    reader.match(SPACE)
    if (reader.done) return true
    if (!reader.skip(',')) return false
    reader.match(SPACE)
    // A trailing comma is malformed.
    if (reader.done) return false
  }
  return false
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

  /** An item with its parameters. */
  item(): StructuredItem | undefined {
    const start = this.#at
    const value = this.bareItem()
    const text = this.#text.slice(start, this.#at)
    const parameters = value === undefined ? undefined : this.parameters()
    return value === undefined || parameters === undefined ? undefined : { value, text, parameters }
  }

  /** The item of a member without a value. */
  flag(): StructuredItem | undefined {
    const parameters = this.parameters()
    return parameters && { value: true, text: '?1', parameters }
  }

  bareItem(): BareItem | undefined {
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

  parameters(): Map<string, BareItem> | undefined {
    const parameters = new Map<string, BareItem>()
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
