import type { TraceState } from '../api/span.ts'

/** W3C trace context: at most this many members. */
const MAX_MEMBERS = 32
/** Above this length, long members give way first when there are too many (W3C trace context 3.3.1.5). */
const LONG_MEMBER = 128

/** Level 2 of the specification: an at sign has no special place in a key any more. */
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/**
 * An immutable W3C tracestate. It keeps the header as received and sends exactly that on until it is changed; it is
 * parsed once, when it is first needed. One malformed member voids the whole header, as the specification asks.
 */
export class W3CTraceState implements TraceState {
  readonly #raw: string
  #members: ReadonlyMap<string, string> | undefined

  constructor(raw = '', members?: ReadonlyMap<string, string>) {
    // JavaScript may pass anything.
    this.#raw = typeof raw === 'string' ? raw : ''
    this.#members = members
  }

  /** Another library's as one of ours, read once, so that no foreign code runs at export. Throws what that throws. */
  static from(state: TraceState | undefined): W3CTraceState | undefined {
    if (state === undefined || state instanceof W3CTraceState) return state
    const raw = String(state.serialize())
    return raw === '' ? undefined : new W3CTraceState(raw)
  }

  get(key: string): string | undefined {
    return this.#parsed().get(key)
  }

  /** Puts a member first. An invalid key or value changes nothing. */
  set(key: string, value: string): W3CTraceState {
    // JavaScript may pass anything.
    if (typeof key !== 'string' || typeof value !== 'string') return this
    if (!KEY.test(key) || !VALUE.test(value)) return this
    const members = new Map([[key, value]])
    for (const [other, kept] of this.#parsed()) if (other !== key) members.set(other, kept)
    return W3CTraceState.#of(members)
  }

  unset(key: string): W3CTraceState {
    if (!this.#parsed().has(key)) return this
    const members = new Map(this.#parsed())
    members.delete(key)
    return W3CTraceState.#of(members)
  }

  /** The header's value; empty where there is nothing valid to send. */
  serialize(): string {
    return this.#parsed().size === 0 ? '' : this.#raw
  }

  #parsed(): ReadonlyMap<string, string> {
    return (this.#members ??= parse(this.#raw))
  }

  static #of(members: Map<string, string>): W3CTraceState {
    trim(members)
    const raw = Array.from(members, ([key, value]) => `${key}=${value}`).join(',')
    return new W3CTraceState(raw, members)
  }
}

function parse(raw: string): Map<string, string> {
  const members = new Map<string, string>()
  for (const part of raw.split(',')) {
    const member = part.replace(/^[ \t]+|[ \t]+$/g, '')
    if (member === '') continue
    const equals = member.indexOf('=')
    const key = member.slice(0, equals)
    const value = member.slice(equals + 1)
    if (equals < 0 || !KEY.test(key) || !VALUE.test(value)) return new Map()
    if (members.has(key)) continue
    if (members.size === MAX_MEMBERS) return new Map()
    members.set(key, value)
  }
  return members
}

/** Drops long members first, then from the end, until the number is legal. */
function trim(members: Map<string, string>): void {
  for (const [key, value] of [...members].reverse()) {
    if (members.size <= MAX_MEMBERS) return
    if (key.length + value.length + 1 > LONG_MEMBER) members.delete(key)
  }
  for (const key of [...members.keys()].reverse()) {
    if (members.size <= MAX_MEMBERS) return
    members.delete(key)
  }
}
